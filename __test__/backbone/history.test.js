// Histories: what an engine keeps of a topic, for subscribers who come back and for processes that
// were cut off.

'use strict';

const net = require('net');
const { once } = require('events');
const { Worker } = require('worker_threads');

const WebSocket = require('../..');
const { EngineProxy } = require('../support/engine-proxy');
const { suite } = require('../support/backbone-suite');

jest.setTimeout(60000);

const { WebSocketServer } = WebSocket;
const { cleanup, startEngine, startServer, withEngine } = suite();

const isType = (type) => (event) => event.type === type;
const eventsOf = (server, type) => server.events.filter(isType(type));
const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => `m${from + i}`);

function settingsOf(engine, history = { size: 1000, ttl: 60000 }, port = engine.port) {
  const url = new URL(engine.url);
  url.port = port;
  return { url: url.href, history };
}

/** Up to where a process has a topic's history. */
const positionOf = (server) => server.ask('position', { topic: 'room' });

/** The same once it is another one: a message is there a moment before. */
async function positionAfter(server, old) {
  for (;;) {
    const position = await positionOf(server);
    if (position !== old) return position;
  }
}

async function proxied(engine) {
  const proxy = await new EngineProxy(engine.port).start();
  cleanup(() => proxy.cut());
  return proxy;
}

describe.each(['redis', 'nats'])('%s', (name) => {
  withEngine(name, 'who comes back gets what it missed, then what follows', async () => {
    const engine = await startEngine(name);
    const [here, there] = [
      await startServer(settingsOf(engine)),
      await startServer(settingsOf(engine))
    ];
    const witness = await there.client('room');
    const first = await there.client('room');
    await there.ask('flush');
    const start = await positionOf(there);
    await here.publish('room', 'before');
    await first.until('before');
    const since = await positionAfter(there, start);
    expect(since).toMatch(/^[0-9a-f]+-\d+$/);
    first.ws.terminate();
    await here.publish('room', 'm', { times: 50 });
    await there.publish('room', 'there');
    await witness.count(52);
    await there.ask('flush');

    const back = await there.recover('room', since);
    const { type, position: end, ...told } = await there.nth(0, isType('history'));
    expect({ type, ...told }).toEqual({
      type: 'history',
      topic: 'room',
      complete: true,
      messages: 51
    });
    expect(end).toMatch(/^[0-9a-f]+-\d+$/);
    await here.publish('room', 'after');
    await there.publish('room', 'local');
    await back.count(53);
    expect(back.messages.slice(0, 51).sort()).toEqual([...numbers(0, 50), 'there'].sort());
    expect(back.messages.filter((each) => /^m/.test(each))).toEqual(numbers(0, 50));
    expect(back.messages.slice(51).sort()).toEqual(['after', 'local']);

    // Elsewhere it is the same history.
    const elsewhere = await here.recover('room', since);
    await here.until(isType('history'));
    await elsewhere.count(53);
    // Nothing was missed since the end.
    await there.recover('room', end);
    expect(await there.nth(1, isType('history'))).toMatchObject({ complete: true, messages: 2 });
  });

  withEngine(name, 'what is published meanwhile comes once, and in order', async () => {
    const engine = await startEngine(name);
    const settings = settingsOf(engine, { size: 100000, ttl: 60000 });
    const [here, there] = [await startServer(settings), await startServer(settings)];
    const witness = await there.client('room');
    await there.ask('flush');
    const start = await positionOf(there);
    await here.publish('room', 'zero');
    await witness.until('zero');
    const since = await positionAfter(there, start);
    const state = { running: true, published: 0 };
    const traffic = (async () => {
      while (state.running) {
        const from = state.published;
        state.published += 20;
        const all = [];
        for (let i = from; i < state.published; i++) {
          all.push((i % 2 === 0 ? here : there).publish('room', `m${i}`));
        }
        await Promise.all(all);
      }
    })();
    const backs = [];
    for (let i = 0; i < 10; i++) {
      backs.push(await there.recover('room', since));
      await there.nth(i, isType('history'));
    }
    state.running = false;
    await traffic;
    await Promise.all([here.ask('flush'), there.ask('flush')]);
    await here.publish('room', 'last');
    for (const client of [witness, ...backs]) await client.until('last');
    for (const { complete } of eventsOf(there, 'history')) expect(complete).toBe(true);
    for (const { messages } of backs) {
      expect(messages).toHaveLength(state.published + 1);
      expect(new Set(messages).size).toBe(messages.length);
      for (const rest of [0, 1]) {
        const some = messages.filter((each) => each[0] === 'm' && each.slice(1) % 2 === rest);
        const sorted = [...some].sort((a, b) => a.slice(1) - b.slice(1));
        expect(some).toEqual(sorted);
      }
    }
  });

  withEngine(name, 'what is not kept any more, or never was, is told', async () => {
    const engine = await startEngine(name);
    const server = await startServer(settingsOf(engine, { size: 10, ttl: 60000 }));
    const witness = await server.client('room');
    await server.ask('flush');
    const early = await positionOf(server);
    await server.publish('room', 'm', { times: 30 });
    await witness.count(30);
    let asked = 0;
    const ask = async (since) => {
      const client = await server.recover('room', since);
      const { complete, messages } = await server.nth(asked++, isType('history'));
      await server.publish('room', 'mark');
      await client.until('mark');
      return { complete, messages, got: client.messages.indexOf('mark') };
    };
    expect(await ask(early)).toEqual({ complete: false, messages: 0, got: 0 });
    for (const since of ['', 'x', '0-0', `${early}999`, 'ffffffffffffffff-3', 'a'.repeat(1000)]) {
      expect(await ask(since)).toEqual({ complete: false, messages: 0, got: 0 });
    }
  });

  withEngine(name, 'after an outage a process goes on where it was', async () => {
    const engine = await startEngine(name);
    const proxy = await proxied(engine);
    const here = await startServer(settingsOf(engine));
    const there = await startServer(settingsOf(engine, undefined, proxy.port));
    const remote = await there.client('room', 'quiet');
    await there.ask('flush');
    await here.publish('room', 'before');
    await remote.until('before');
    await proxy.cut();
    await there.until(isType('lost'));
    await here.publish('room', 'm', { times: 300 });
    await here.ask('flush');
    await proxy.start();
    await remote.count(301);
    await here.publish('room', 'after');
    await remote.until('after');
    expect(remote.messages).toEqual(['before', ...numbers(0, 300), 'after']);
    expect(eventsOf(there, 'gap')).toEqual([]);
  });

  withEngine(name, 'an outage that was too long for the history is a gap', async () => {
    const engine = await startEngine(name);
    const proxy = await proxied(engine);
    const small = { size: 10, ttl: 60000 };
    const here = await startServer(settingsOf(engine, small));
    const there = await startServer(settingsOf(engine, small, proxy.port));
    const remote = await there.client('room');
    await there.ask('flush');
    await here.publish('room', 'before');
    await remote.until('before');
    await proxy.cut();
    await there.until(isType('lost'));
    // Meanwhile nobody knows what is missed.
    const lost = await there.recover('room', '0-0');
    await there.until(isType('history'));
    await here.publish('room', 'm', { times: 300 });
    await here.ask('flush');
    await proxy.start();
    await there.until(isType('gap'));
    expect(eventsOf(there, 'gap')).toEqual([{ type: 'gap', topic: 'room', reason: 'outage' }]);
    await here.publish('room', 'after');
    for (const client of [remote, lost]) await client.until('after');
    expect(lost.messages).toEqual(['after']);
    expect(eventsOf(there, 'history')[0]).toMatchObject({ complete: false, messages: 0 });
  });

  withEngine(name, 'an engine that lost everything begins anew', async () => {
    const engine = await startEngine(name);
    const server = await startServer(settingsOf(engine));
    const witness = await server.client('room');
    await server.ask('flush');
    await server.publish('room', 'before');
    await witness.until('before');
    const since = await positionOf(server);
    await engine.kill();
    await server.until(isType('lost'));
    engine.forget();
    await engine.start();
    await server.until(isType('connected'), server.events.findIndex(isType('lost')));
    const back = await server.recover('room', since);
    expect(await server.until(isType('history'))).toMatchObject({ complete: false });
    await server.publish('room', 'after');
    await back.until('after');
    expect(back.messages).toEqual(['after']);
  });
});

/** Clients of a server in this process, whose engine takes its time. */
async function local(engine, settings) {
  const wss = new WebSocketServer({ port: 0, backbone: settingsOf(engine), ...settings });
  cleanup(async () => {
    for (const ws of wss.clients) ws.terminate();
    await new Promise((resolve) => wss.close(resolve));
  });
  const told = [];
  wss.on('history', (ws, event) => told.push([ws, event]));
  await once(wss, 'backbone');
  return {
    wss,
    told,
    async client() {
      const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
      const got = [];
      client.on('error', () => {});
      client.on('message', (data) => got.push(data.toString()));
      const [ws] = await once(wss, 'connection');
      return { client, got, ws };
    },
    async until(condition) {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
}

describe.each(['redis', 'nats'])('while %s is asked', (name) => {
  withEngine(name, 'who leaves or closes gets what was published until then', async () => {
    const engine = await startEngine(name);
    const { wss, told, client, until } = await local(engine);
    const [leaver, closer, ender, stayer] = [
      await client(),
      await client(),
      await client(),
      await client()
    ];
    wss.publish('room', 'early');
    await wss.flushBackbone();
    engine.signal('SIGSTOP');
    for (const { ws } of [leaver, closer, ender, stayer]) {
      expect(ws.subscribe('room', { since: 'x' })).toBe(true);
      expect(ws.subscribe('room', { since: 'x' })).toBe(false);
    }
    expect(wss.subscriberCount('room')).toBe(4);
    expect(wss.publish('room', 'one')).toBe(4);
    expect(leaver.ws.publish('room', 'others')).toBe(3);
    expect(wss.publish('room', 'some', { except: [closer.ws, stayer.ws] })).toBe(2);
    expect(leaver.ws.unsubscribe('room')).toBe(true);
    closer.ws.close();
    ender.ws.terminate();
    expect(wss.subscriberCount('room')).toBe(1);
    expect(wss.publish('room', 'two')).toBe(1);
    await once(closer.client, 'close');
    expect(leaver.ws.subscribe('room')).toBe(true);
    expect(wss.publish('room', 'three')).toBe(2);
    engine.signal('SIGCONT');
    await until(() => stayer.got.includes('three') && leaver.got.includes('three'));
    expect(leaver.got).toEqual(['one', 'some', 'three']);
    expect(closer.got).toEqual(['one', 'others']);
    expect(stayer.got).toEqual(['one', 'others', 'two', 'three']);
    expect(told).toEqual([
      [stayer.ws, { topic: 'room', complete: false, messages: 0, position: expect.any(String) }]
    ]);
  });

  withEngine(name, 'a message in fragments is not broken, and a server may close', async () => {
    const engine = await startEngine(name);
    const { wss, told, client, until } = await local(engine);
    const witness = await client();
    witness.ws.subscribe('room');
    await wss.flushBackbone();
    const since = wss.position('room');
    wss.publish('room', 'missed');
    await wss.flushBackbone();
    const back = await client();
    back.ws.send('first ', { fin: false });
    back.ws.subscribe('room', { since });
    // What is published waits for the end of the message.
    await until(() => told.length === 1);
    back.ws.send('second');
    await until(() => back.got.length === 2);
    expect(back.got).toEqual(['first second', 'missed']);
    engine.signal('SIGSTOP');
    const last = await client();
    last.ws.subscribe('room', { since });
    wss.close();
    engine.signal('SIGCONT');
    await until(() => told.length === 2);
    expect(told[1][0]).toBe(last.ws);
    wss.publish('room', 'after');
    await until(() => last.got.includes('after'));
  });

  withEngine(name, 'what the queue had no room for makes a history incomplete', async () => {
    for (const onOverflow of ['drop-oldest', 'drop-newest']) {
      const engine = await startEngine(name);
      const { wss, told, client, until } = await local(engine, {
        backbone: { ...settingsOf(engine), maxQueue: 2000, onOverflow }
      });
      const { ws } = await client();
      ws.subscribe('room');
      await wss.flushBackbone();
      wss.publish('room', 'kept');
      await wss.flushBackbone();
      await until(() => wss.position('room') !== undefined);
      const since = wss.position('room');
      // What is taken from the queue meanwhile, once, is no more than it holds.
      engine.signal('SIGSTOP');
      for (let i = 0; i < 200; i++) wss.publish('room', `m${i}`);
      engine.signal('SIGCONT');
      await wss.flushBackbone();
      wss.publish('room', 'then');
      await wss.flushBackbone();
      (await client()).ws.subscribe('room', { since });
      await until(() => told.length === 1);
      expect(told[0][1]).toMatchObject({ complete: false, messages: 0 });
    }
  });
});

const PUBLISHER = `
const { parentPort, workerData } = require('worker_threads');
const { WebSocketServer } = require(workerData.library);
const wss = new WebSocketServer({ noServer: true, ...workerData.options });
let published = 0;
const timer = setInterval(() => {
  for (let i = 0; i < 10; i++) wss.publish('room', 'w' + published++);
}, 1);
parentPort.once('message', () => {
  clearInterval(timer);
  parentPort.postMessage(published);
  wss.close();
});
`;

withEngine(
  'redis',
  'what another thread publishes meanwhile comes once, and in order',
  async () => {
    const engine = await startEngine('redis');
    const backbone = settingsOf(engine, { size: 100000, ttl: 60000 });
    const options = { hub: 'threads', backbone };
    const { wss, told, client, until } = await local(engine, options);
    const witness = await client();
    witness.ws.subscribe('room');
    await wss.flushBackbone();
    const since = wss.position('room');
    const library = require.resolve('../..');
    const worker = new Worker(PUBLISHER, { eval: true, workerData: { library, options } });
    cleanup(() => worker.terminate());
    const backs = [];
    for (let i = 0; i < 10; i++) {
      await until(() => witness.got.length > i * 20);
      const back = await client();
      back.ws.subscribe('room', { since });
      backs.push(back);
      await until(() => told.length === i + 1);
    }
    worker.postMessage('stop');
    const [published] = await once(worker, 'message');
    const expected = Array.from({ length: published }, (_, i) => `w${i}`);
    for (const { got } of [witness, ...backs]) {
      await until(() => got.length >= published);
      expect(got).toEqual(expected);
    }
    for (const [, { complete }] of told) expect(complete).toBe(true);
  }
);

test('what cannot be since when', async () => {
  const plain = new WebSocketServer({ port: 0 });
  cleanup(() => new Promise((resolve) => plain.close(resolve)));
  await once(plain, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${plain.address().port}`);
  const [[ws]] = await Promise.all([once(plain, 'connection'), once(client, 'open')]);
  expect(() => ws.subscribe('a', { since: '1-1' })).toThrow(
    expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' })
  );
  for (const since of [1, {}, true]) {
    expect(() => ws.subscribe('a', { since })).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    );
  }
  expect(ws.subscriptions).toEqual([]);
  expect(ws.subscribe('a', { since: null })).toBe(true);
  expect(ws.subscribe('b', {})).toBe(true);
  expect(plain.position('a')).toBe(undefined);
  expect(() => plain.position('')).toThrow(TypeError);
  client.terminate();
});

withEngine('redis', 'scripts that Redis forgot are given to it again', async () => {
  const engine = await startEngine('redis');
  const { wss, client, until } = await local(engine);
  const { ws, got } = await client();
  ws.subscribe('room');
  await wss.flushBackbone();
  const socket = net.connect(engine.port, '127.0.0.1');
  socket.write('SCRIPT FLUSH\r\n');
  const [answer] = await once(socket, 'data');
  expect(answer.toString()).toBe('+OK\r\n');
  socket.destroy();
  const connected = once(wss, 'backbone');
  wss.publish('room', 'm');
  expect((await connected)[0].type).toBe('lost');
  await wss.flushBackbone();
  await until(() => got.length === 1);
});

withEngine('nats', 'a server without JetStream keeps no history', async () => {
  const engine = await startEngine('nats', { jetstream: false });
  const wss = new WebSocketServer({ noServer: true, backbone: settingsOf(engine) });
  cleanup(() => new Promise((resolve) => wss.close(resolve)));
  const [{ type, error }] = await once(wss, 'backbone');
  expect(type).toBe('lost');
  expect(error.code).toBe('FERROWS_ERR_BACKBONE_ENGINE');
  expect(error.message).toMatch(/^nats:\/\/127\.0\.0\.1:\d+: it keeps no history: /);
});
