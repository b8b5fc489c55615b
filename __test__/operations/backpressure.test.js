// Peers that read slowly: policies, events and callbacks, on both transports. The rules are tested in
// memory, with a model: src/reactor/tests/backlog.rs.

'use strict';

const { once } = require('events');

const WebSocket = require('../..');
const { serve } = require('../support/libraries');
const { RawPeer } = require('../support/raw-peer');

const LIMIT = 256 * 1024;
const SIZE = 8000;
// More than any of it takes on a busy machine, less than jest waits for a test.
const PATIENCE = 50000;

jest.setTimeout(60000);

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

async function connected(options) {
  const server = await serve(WebSocket, 'port', options);
  cleanUp.push(server.close);
  const connection = once(server.wss, 'connection');
  const peer = await RawPeer.open(server.port);
  cleanUp.push(() => peer.socket.destroy());
  const [websocket] = await connection;
  const trace = [];
  const sum = { messages: 0, bytes: 0 };
  for (const event of ['backpressure', 'drain']) websocket.on(event, () => trace.push(event));
  websocket.on('dropped', (messages, bytes) => {
    sum.messages += messages;
    sum.bytes += bytes;
  });
  return { ...server, peer, sum, trace, websocket };
}

const tick = () => new Promise(setImmediate);

/** Waits turn by turn, and not for ever: a test that fails must end. */
async function settled(condition) {
  for (const end = Date.now() + PATIENCE; !condition();) {
    if (Date.now() > end) throw new Error(`it never came that ${condition}`);
    await tick();
  }
}

/** Sends numbered messages until the policy has had something to do. */
async function flood({ peer, sum, trace, websocket }, until) {
  peer.socket.pause();
  const outcomes = [];
  let count = 0;
  while (!until({ sum, trace })) {
    for (let i = 0; i < 50; i++) {
      const number = count++;
      websocket.send(String(number).padEnd(SIZE), (error) => {
        outcomes[number] = error ? error.code : 'sent';
      });
    }
    expect(websocket.bufferedAmount).toBeLessThanOrEqual(LIMIT);
    await tick();
  }
  // As much again, so that whatever is dropped is so for long.
  for (let i = 0; i < 200; i++) {
    const number = count++;
    websocket.send(String(number).padEnd(SIZE), (error) => {
      outcomes[number] = error ? error.code : 'sent';
    });
  }
  return { count: () => count, outcomes };
}

/** Reads everything and gives the numbers of what arrived. */
async function readAll({ peer, websocket }) {
  peer.socket.resume();
  websocket.close();
  const numbers = [];
  for (;;) {
    const next = await peer.nextFrame();
    if (next === null || next.opcode === 8) return numbers;
    expect(next.payload).toHaveLength(SIZE);
    numbers.push(Number(String(next.payload)));
  }
}

/** The same, after which nothing more is told. */
async function readAllAndEnd({ peer, websocket }) {
  const closed = once(websocket, 'close');
  const numbers = await readAll({ peer, websocket });
  peer.socket.destroy();
  await closed;
  return numbers;
}

const policies = ['drop-newest', 'drop-oldest', 'latest'];

describe.each(policies)('%s', (onBackpressure) => {
  test('what arrives and what was dropped add up; memory stays within the limit', async () => {
    const connection = await connected({ maxBackpressure: LIMIT, onBackpressure });
    const { sum, trace, websocket } = connection;
    const { count, outcomes } = await flood(connection, () => sum.messages > 0);
    expect(websocket.bufferedAmount).toBeLessThanOrEqual(LIMIT);
    await tick();
    const numbers = await readAll(connection);
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    await settled(() => numbers.length + sum.messages >= count());
    expect(numbers.length + sum.messages).toBe(count());
    expect(sum.bytes).toBe(sum.messages * SIZE);
    // Each callback came once, and says what became of its message.
    await settled(() => outcomes.filter(Boolean).length >= count());
    const arrived = new Set(numbers);
    for (let number = 0; number < count(); number++) {
      expect(outcomes[number]).toBe(arrived.has(number) ? 'sent' : 'FERROWS_ERR_DROPPED');
    }
    expect(arrived.has(0)).toBe(true);
    expect(arrived.has(count() - 1)).toBe(onBackpressure !== 'drop-newest');
    expect(websocket.bufferedAmount).toBe(0);
    expect(trace.slice(0, 2)).toEqual(['backpressure', 'drain']);
    expect(trace.length % 2).toBe(0);
  });
});

test('buffer: everything arrives, and the events tell', async () => {
  const connection = await connected({ maxBackpressure: LIMIT });
  const { peer, sum, trace, websocket } = connection;
  peer.socket.pause();
  let count = 0;
  while (trace.length === 0) {
    for (let i = 0; i < 50; i++) websocket.send(String(count++).padEnd(SIZE));
    await tick();
  }
  const drained = once(websocket, 'drain');
  for (let i = 0; i < 50; i++) websocket.send(String(count++).padEnd(SIZE));
  expect(websocket.bufferedAmount).toBeGreaterThan(LIMIT / 2);
  const numbers = await readAll(connection);
  await drained;
  expect(numbers).toHaveLength(count);
  expect([sum.messages, trace]).toEqual([0, ['backpressure', 'drain']]);
});

test('close: 1013 behind what was accepted', async () => {
  const connection = await connected({ maxBackpressure: LIMIT, onBackpressure: 'close' });
  const { peer, sum, trace, websocket } = connection;
  peer.socket.pause();
  let count = 0;
  while (websocket.readyState === WebSocket.OPEN) {
    for (let i = 0; i < 50; i++) websocket.send(String(count++).padEnd(SIZE));
    await tick();
  }
  peer.socket.resume();
  let numbers = 0;
  let last;
  while ((last = await peer.nextFrame()).opcode !== 8) numbers++;
  expect(last.payload.readUInt16BE(0)).toBe(1013);
  await settled(() => numbers + sum.messages >= count);
  expect(sum.messages).toBeGreaterThan(0);
  expect(numbers + sum.messages).toBe(count);
  expect(trace[0]).toBe('backpressure');
});

test('pings pass when messages do not', async () => {
  const connection = await connected({ maxBackpressure: LIMIT, onBackpressure: 'drop-newest' });
  const { peer, sum, websocket } = connection;
  await flood(connection, () => sum.messages > 0);
  websocket.ping('there?');
  peer.socket.resume();
  websocket.close();
  const opcodes = [];
  for (let next = await peer.nextFrame(); next.opcode !== 8; next = await peer.nextFrame()) {
    opcodes.push(next.opcode);
  }
  expect(opcodes.pop()).toBe(9);
  expect(new Set(opcodes)).toEqual(new Set([1]));
});

test('a message that is larger than the limit is never sent', async () => {
  const { peer, sum, websocket } = await connected({
    maxBackpressure: 1000,
    onBackpressure: 'drop-oldest'
  });
  const error = await new Promise((resolve) => websocket.send(Buffer.alloc(1001), resolve));
  expect(error.code).toBe('FERROWS_ERR_DROPPED');
  await tick();
  expect(sum).toEqual({ messages: 1, bytes: 1001 });
  expect(websocket.bufferedAmount).toBe(0);
  websocket.send('fits');
  expect(String((await peer.nextFrame()).payload)).toBe('fits');
});

test('fragments of one message are dropped together', async () => {
  const connection = await connected({ maxBackpressure: LIMIT, onBackpressure: 'drop-newest' });
  const { sum, websocket } = connection;
  await flood(connection, () => sum.messages > 0);
  const part = 'x'.repeat(SIZE);
  // The last one of the flood: what was dropped before has been told by then.
  const last = await new Promise((resolve) => websocket.send(part, resolve));
  expect(last.code).toBe('FERROWS_ERR_DROPPED');
  await tick();
  const before = { ...sum };
  const errors = await Promise.all(
    [false, false, true].map(
      (fin) => new Promise((resolve) => websocket.send(part, { fin }, resolve))
    )
  );
  expect(errors.map((error) => error && error.code)).toEqual(Array(3).fill('FERROWS_ERR_DROPPED'));
  expect(sum).toEqual({ messages: before.messages + 1, bytes: before.bytes + 3 * SIZE });
  await readAll(connection);
});

test.each(policies)('%s goes on after the socket was given back', async (onBackpressure) => {
  const connection = await connected({ maxBackpressure: LIMIT, onBackpressure });
  const { sum, websocket } = connection;
  const { count, outcomes } = await flood(connection, () => sum.messages > 0);
  websocket._socket.cork();
  websocket._socket.uncork();
  for (let i = 0; i < 100; i++) websocket.send(String(count() + i).padEnd(SIZE));
  await tick();
  const numbers = await readAll(connection);
  expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
  await tick();
  await settled(() => numbers.length + sum.messages >= count() + 100);
  expect(numbers.length + sum.messages).toBe(count() + 100);
  await settled(() => outcomes.filter(Boolean).length >= count());
  const early = numbers.filter((number) => number < count());
  expect(outcomes.filter((outcome) => outcome === 'sent')).toHaveLength(early.length);
});

test.each(policies)(
  '%s: what is published and prepared stands in the same line',
  async (onBackpressure) => {
    const connection = await connected({ maxBackpressure: LIMIT, onBackpressure });
    const { peer, sum, websocket, wss } = connection;
    for (const topic of ['a', 'b']) websocket.subscribe(topic);
    const ways = [
      (data) => websocket.send(data),
      (data) => wss.publish('a', data),
      (data) => wss.publish('b', data),
      (data) => websocket.send(WebSocket.prepare(data))
    ];
    peer.socket.pause();
    let count = 0;
    const next = () => ways[count % ways.length](String(count++).padEnd(SIZE));
    while (sum.messages === 0) {
      for (let i = 0; i < 40; i++) next();
      expect(websocket.bufferedAmount).toBeLessThanOrEqual(LIMIT);
      await tick();
    }
    for (let i = 0; i < 200; i++) next();
    expect(websocket.bufferedAmount).toBeLessThanOrEqual(LIMIT);
    const numbers = await readAllAndEnd(connection);
    expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    expect([numbers.length + sum.messages, sum.bytes]).toEqual([count, sum.messages * SIZE]);
    const last = [count - 4, count - 3, count - 2, count - 1];
    expect(last.filter((number) => numbers.includes(number))).toEqual(
      onBackpressure === 'drop-newest' ? [] : last
    );
  }
);

test('latest: a topic that is quiet keeps its message while another one is busy', async () => {
  const onBackpressure = 'latest';
  const connection = await connected({ maxBackpressure: LIMIT, onBackpressure });
  const { peer, sum, websocket, wss } = connection;
  for (const topic of ['busy', 'quiet']) websocket.subscribe(topic);
  peer.socket.pause();
  let count = 0;
  while (sum.messages === 0) {
    for (let i = 0; i < 40; i++) wss.publish('busy', String(count++).padEnd(SIZE));
    expect(websocket.bufferedAmount).toBeLessThanOrEqual(LIMIT);
    await tick();
  }
  const quiet = count++;
  wss.publish('quiet', String(quiet).padEnd(SIZE));
  for (let i = 0; i < 400; i++) wss.publish('busy', String(count++).padEnd(SIZE));
  const numbers = await readAllAndEnd(connection);
  expect(numbers).toContain(quiet);
  expect(numbers).toContain(count - 1);
  expect(numbers.length + sum.messages).toBe(count);
});

test('what is published between fragments that are dropped comes after them', async () => {
  const connection = await connected({ maxBackpressure: LIMIT, onBackpressure: 'drop-oldest' });
  const { peer, sum, websocket, wss } = connection;
  websocket.subscribe('a');
  await flood(connection, () => sum.messages > 0);
  websocket.send('0'.padEnd(SIZE), { fin: false });
  wss.publish('a', '2000001'.padEnd(SIZE));
  // Now the message can never fit, and is dropped with its fragments.
  websocket.send(''.padEnd(LIMIT), { fin: false });
  wss.publish('a', '2000002'.padEnd(SIZE));
  websocket.send('', { fin: true });
  websocket.send('2000003'.padEnd(SIZE));
  const numbers = await readAllAndEnd({ peer, websocket });
  expect(numbers.slice(-3)).toEqual([2000001, 2000002, 2000003]);
  expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
});

test('compressed messages are dropped without harm to those that follow', async () => {
  const server = await serve(WebSocket, 'port', {
    maxBackpressure: LIMIT,
    onBackpressure: 'drop-oldest',
    perMessageDeflate: { threshold: 0 }
  });
  cleanUp.push(server.close);
  const connection = once(server.wss, 'connection');
  const client = new WebSocket(`ws://127.0.0.1:${server.port}`);
  const got = [];
  client.on('message', (data) => got.push(Number(String(data).split(' ')[0])));
  // One that is not open yet cannot be paused.
  const [[websocket]] = await Promise.all([connection, once(client, 'open')]);
  let messages = 0;
  websocket.on('dropped', (some) => (messages += some));
  client.pause();
  let count = 0;
  while (messages === 0) {
    for (let i = 0; i < 50; i++) {
      const noise = Array.from({ length: 1000 }, () => Math.random().toString(36));
      websocket.send(`${count++} ${noise.join('')}`);
    }
    await tick();
  }
  client.resume();
  websocket.close();
  await once(client, 'close');
  await settled(() => got.length + messages >= count);
  expect(got.length + messages).toBe(count);
  expect(got[got.length - 1]).toBe(count - 1);
});
