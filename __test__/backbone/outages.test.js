// Engines that go away and come back, processes that stop: every message is delivered, dropped by
// policy and counted, or announced as a gap.

'use strict';

const { EngineProxy } = require('../support/engine-proxy');
const { suite } = require('../support/backbone-suite');

jest.setTimeout(60000);

const { cleanup, startEngine, startServer, withEngine } = suite();

const isType = (type) => (event) => event.type === type;
const countOf = (server, matches) => server.events.filter(matches).length;

async function startProxy(engine) {
  const proxy = await new EngineProxy(engine.port).start();
  cleanup(() => proxy.cut());
  return proxy;
}

const through = (engine, port) => {
  const url = new URL(engine.url);
  url.port = port;
  return url.href;
};

/** Publishes numbers one after the other until it is stopped. */
function stream(server, topic) {
  const state = { published: 0, done: null, running: true };
  state.done = (async () => {
    while (state.running) await server.publish(topic, `${state.published++}`);
  })();
  return state;
}

/** Numbers that came, which must have come in order and once. */
function numbersOf(client) {
  const numbers = client.messages.filter((message) => /^\d+$/.test(message)).map(Number);
  for (let i = 1; i < numbers.length; i++) expect(numbers[i]).toBeGreaterThan(numbers[i - 1]);
  return numbers;
}

describe.each(['redis', 'nats'])('%s', (name) => {
  withEngine(name, 'an engine that is killed in the middle of traffic', async () => {
    const engine = await startEngine(name);
    const [here, there] = [await startServer(engine.url), await startServer(engine.url)];
    const local = await here.client('room', 'quiet');
    const remote = await there.client('room', 'quiet');
    for (const server of [here, there]) await server.ask('flush');

    const traffic = stream(here, 'room');
    await remote.until('200');
    await engine.kill();
    await here.until(isType('lost'));
    await there.until(isType('lost'));
    const publishedInOutage = traffic.published;
    await local.until(`${publishedInOutage}`);
    await engine.start();
    await here.until(isType('connected'), 1);
    await there.until(isType('connected'), 1);
    traffic.running = false;
    await traffic.done;
    for (const server of [here, there]) await server.ask('flush');
    await here.publish('room', 'last');
    await local.until('last');
    await remote.until('last');

    // Nothing was missing where it was published.
    expect(numbersOf(local)).toHaveLength(traffic.published);
    numbersOf(remote);
    for (const server of [here, there]) {
      for (const topic of ['room', 'quiet']) {
        const gaps = server.events.filter((event) => event.type === 'gap' && event.topic === topic);
        expect(gaps).toEqual([{ type: 'gap', topic, reason: 'outage' }]);
      }
      expect(countOf(server, isType('lost'))).toBe(1);
      expect(countOf(server, isType('dropped'))).toBe(0);
    }
  });

  withEngine(name, 'what is published while it is away comes when it is back', async () => {
    const engine = await startEngine(name);
    const proxy = await startProxy(engine);
    const here = await startServer(through(engine, proxy.port));
    const there = await startServer(engine.url);
    const remote = await there.client('room');
    await there.ask('flush');
    await here.publish('room', 'before');
    await remote.until('before');
    await proxy.cut();
    await here.until(isType('lost'));
    await here.publish('room', 'm', { times: 1000 });
    await proxy.start();
    await remote.count(1001);
    await here.ask('flush');
    expect(remote.messages.slice(1)).toEqual(Array.from({ length: 1000 }, (_, i) => `m${i}`));
    // That one was never away.
    expect(countOf(there, isType('gap'))).toBe(0);
    expect(await here.ask('counts')).toMatchObject({ dropped: 0, waiting: 0, connects: 2 });
  });

  withEngine(
    name,
    'what the queue has no room for is counted, and others learn of it',
    async () => {
      const engine = await startEngine(name);
      const proxy = await startProxy(engine);
      for (const onOverflow of ['drop-oldest', 'drop-newest']) {
        const settings = { url: through(engine, proxy.port), maxQueue: 100000, onOverflow };
        const here = await startServer(settings);
        const there = await startServer(engine.url);
        const local = await here.client('room');
        const remote = await there.client('room');
        for (const server of [here, there]) await server.ask('flush');
        await here.publish('room', 'm', { times: 10 });
        await remote.count(10);
        // What is cut off before the engine has answered may have arrived and is tried again.
        await here.ask('flush');
        await proxy.cut();
        await here.until(isType('lost'));
        await here.publish('room', 'm', { times: 5000 });
        expect((await here.ask('counts')).waitingBytes).toBeLessThanOrEqual(100000);
        await proxy.start();
        await here.ask('flush');
        await there.until(isType('gap'));
        await here.publish('room', 'last');
        await remote.until('last');
        await local.until('last');

        expect(local.messages).toHaveLength(10 + 5000 + 1);
        const { dropped, droppedBytes } = await here.ask('counts');
        expect(dropped).toBeGreaterThan(1000);
        expect(remote.messages).toHaveLength(10 + 5000 - dropped + 1);
        const told = { messages: 0, bytes: 0 };
        for (const event of here.events.filter(isType('dropped'))) {
          told.messages += event.messages;
          told.bytes += event.bytes;
        }
        expect(told).toEqual({ messages: dropped, bytes: droppedBytes });
        const kept = remote.messages.slice(10, -1);
        expect(kept[0]).toBe(onOverflow === 'drop-oldest' ? `m${dropped}` : 'm0');
        expect(there.events.filter(isType('gap'))).toEqual([
          { type: 'gap', topic: 'room', reason: 'missed' }
        ]);
        await here.end();
        await there.end();
      }
    }
  );

  withEngine(name, 'an engine that stops answering is given up and found again', async () => {
    const engine = await startEngine(name);
    const settings = { url: engine.url, timeout: 500 };
    const [here, there] = [await startServer(settings), await startServer(settings)];
    const local = await here.client('room');
    const remote = await there.client('room');
    for (const server of [here, there]) await server.ask('flush');
    engine.signal('SIGSTOP');
    await here.publish('room', 'meanwhile');
    await local.until('meanwhile');
    const { error } = await here.until(isType('lost'));
    expect(error.code).toBe('FERROWS_ERR_BACKBONE_TIMEOUT');
    await there.until(isType('lost'));
    engine.signal('SIGCONT');
    await here.until(isType('gap'));
    await there.until(isType('gap'));
    await here.ask('flush');
    await here.publish('room', 'afterwards');
    await remote.until('afterwards');
    expect(countOf(there, isType('gap'))).toBe(1);
  });

  withEngine(name, 'a process that is stopped gets what it missed, or learns of it', async () => {
    const engine = await startEngine(name);
    const here = await startServer({ url: engine.url, timeout: 2000 });
    const there = await startServer({ url: engine.url, timeout: 500 });
    const remote = await there.client('room');
    for (const server of [here, there]) await server.ask('flush');
    await here.publish('room', 'first');
    await remote.until('first');
    there.signal('SIGSTOP');
    await here.publish('room', 'm', { times: 2000 });
    await here.ask('flush');
    there.signal('SIGCONT');
    await there.ask('flush');
    await here.publish('room', 'last');
    await remote.until('last');
    const missed = 2002 - remote.messages.length;
    expect(missed === 0 || countOf(there, isType('gap')) > 0).toBe(true);
    expect(new Set(remote.messages).size).toBe(remote.messages.length);
  });

  withEngine(name, 'a slow engine delays nothing here and loses nothing there', async () => {
    const engine = await startEngine(name);
    const proxy = await startProxy(engine);
    const here = await startServer({ url: through(engine, proxy.port), timeout: 20000 });
    const there = await startServer(engine.url);
    const local = await here.client('room');
    const remote = await there.client('room');
    for (const server of [here, there]) await server.ask('flush');
    proxy.delay = 300;
    for (let i = 0; i < 5; i++) await here.publish('room', `${i}-`, { times: 500 });
    await local.count(2500);
    await remote.count(2500);
    expect(remote.messages).toEqual(local.messages);
    expect(countOf(here, isType('lost'))).toBe(0);
    expect((await here.ask('counts')).lag).toBeGreaterThan(0);
  });

  withEngine(name, 'an engine that is not there at first is found when it comes', async () => {
    const engine = await startEngine(name);
    await engine.kill();
    const here = await startServer(engine.url, { connected: false });
    const local = await here.client('room');
    const { address, error } = await here.until(isType('lost'));
    expect({ address, code: error.code }).toEqual({ address: engine.url, code: 'ECONNREFUSED' });
    expect(error.message).toContain(engine.url);
    await here.publish('room', 'alone');
    await local.until('alone');
    await engine.start();
    await here.until(isType('connected'));
    await here.until(isType('gap'));
    await here.ask('flush');
    expect(here.events.map(({ type }) => type)).toEqual(['lost', 'connected', 'gap']);
    expect((await here.ask('counts')).sent).toBe(1);
  });

  withEngine(name, 'what was published before the server closes arrives', async () => {
    const engine = await startEngine(name);
    const [here, there] = [await startServer(engine.url), await startServer(engine.url)];
    const remote = await there.client('room');
    await there.ask('flush');
    await here.publish('room', 'm', { times: 1000 });
    await here.ask('close');
    await remote.count(1000);
  });
});
