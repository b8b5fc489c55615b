// What a server counts: that it is what happened, in numbers that add up.

'use strict';

const http = require('http');
const { once } = require('events');

const WebSocket = require('../..');
const bridge = require('../../lib/bridge');
const { serve } = require('../support/libraries');
const { RawPeer, frame, request } = require('../support/raw-peer');

const LIMIT = 128 * 1024;
const SIZE = 8000;

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

async function served(options, mode = 'port') {
  const server = await serve(WebSocket, mode, options);
  cleanUp.push(server.close);
  return server;
}

async function connected(server) {
  const connection = once(server.wss, 'connection');
  const peer = await RawPeer.open(server.port);
  cleanUp.push(() => peer.socket.destroy());
  const [websocket] = await connection;
  return { peer, websocket };
}

/** Reads so many messages; fails if there are fewer. */
async function read(peer, count) {
  for (let messages = 0; messages < count;) {
    const next = await peer.nextFrame();
    expect(next).not.toBeNull();
    expect(next.opcode).not.toBe(8);
    if (next.opcode < 8 && next.fin) messages++;
  }
}

/** All numbers in metrics, by path. */
function numbersIn(value, path = '') {
  if (typeof value === 'number') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, each]) => numbersIn(each, `${path}.${name}`));
}

test('a server that nobody has used counts nothing, and is a plain object', async () => {
  const wss = new WebSocket.Server({ noServer: true });
  const metrics = wss.metrics();
  expect(Object.getPrototypeOf(metrics)).toBe(Object.prototype);
  const { thread, ...own } = JSON.parse(JSON.stringify(metrics));
  expect(numbersIn(own).filter(([, value]) => value !== 0)).toEqual([]);
  expect(own.backbone).toBe(null);
  expect(Object.keys(thread)).toEqual(['inbound', 'reactors']);
});

test.each(['port', 'noServer'])('%s: messages, bytes, pings and pongs', async (mode) => {
  const server = await served({}, mode);
  const { wss } = server;
  const { peer, websocket } = await connected(server);
  let got = 0;
  const all = new Promise((resolve) => websocket.on('message', () => ++got === 4 && resolve()));
  // Text, an empty one, one in fragments with a ping in the middle, one that is large.
  peer.send(frame(0x81, 'hällo'), frame(0x82), frame(0x01, 'ab'), frame(0x89, 'x'));
  peer.send(frame(0x80, 'cd'), frame(0x8a), frame(0x82, Buffer.alloc(300000)));
  await all;
  expect(wss.metrics().received).toEqual({
    messages: 4,
    bytes: 6 + 4 + 300000,
    pings: 1,
    pongs: 1
  });

  websocket.send('hällo');
  websocket.send('a', { fin: false });
  websocket.send('b', { fin: true });
  websocket.ping();
  websocket.send(WebSocket.prepare(Buffer.alloc(10)));
  const { sent } = wss.metrics();
  expect(sent).toEqual({ messages: 3, bytes: 6 + 2 + 10, pings: 1, pongs: 1 });
  await read(peer, 3);
  expect(wss.metrics().sent).toEqual(sent);
});

test('bytes are those of payloads, compressed or not', async () => {
  const server = await served({ perMessageDeflate: { threshold: 0 } });
  server.wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  const client = new WebSocket(`ws://127.0.0.1:${server.port}`);
  await once(client, 'open');
  client.send('x'.repeat(5000));
  await once(client, 'message');
  const { received, sent } = server.wss.metrics();
  expect([received.bytes, sent.bytes]).toEqual([5000, 5000]);
  client.terminate();
});

test('all kinds of binary data count with their length', async () => {
  const server = await served();
  const { wss } = server;
  for (const type of ['nodebuffer', 'arraybuffer', 'fragments', 'blob']) {
    const { peer, websocket } = await connected(server);
    websocket.binaryType = type;
    const before = wss.metrics().received.bytes;
    peer.send(frame(0x02, 'abc'), frame(0x80, 'de'));
    await once(websocket, 'message');
    expect(wss.metrics().received.bytes - before).toBe(5);
    if (typeof Blob === 'undefined') continue;
    const sent = wss.metrics().sent.bytes;
    websocket.send(new Blob(['abcdefg']));
    await read(peer, 1);
    expect(wss.metrics().sent.bytes - sent).toBe(7);
  }
});

test('connections: accepted less closed are current; each refusal has its reason', async () => {
  const verifyClient = ({ req }) => req.url !== '/no';
  const server = await served({ maxConnections: 2, path: undefined, verifyClient });
  const { port, wss } = server;
  wss.shouldHandle = ({ url }) => url !== '/elsewhere';
  const refuse = async (options) => {
    const peer = await RawPeer.connect(port, request(options));
    cleanUp.push(() => peer.socket.destroy());
    await peer.body();
  };
  await refuse({ path: '/no' });
  await refuse({ path: '/elsewhere' });
  await refuse({ headers: { 'Sec-WebSocket-Version': '7' } });
  const { peer, websocket } = await connected(server);
  await connected(server);
  await refuse();
  const closed = once(websocket, 'close');
  peer.socket.destroy();
  await closed;
  wss.drain({ jitter: 10000, timeout: 10000 });
  await refuse();
  expect(wss.metrics().connections).toEqual({
    current: 1,
    accepted: 2,
    closed: 1,
    refused: { closed: 0, draining: 1, handshake: 1, limit: 1, path: 1, verification: 1 }
  });
});

test('a server that has closed refuses, and keeps its numbers', async () => {
  const wss = new WebSocket.Server({ noServer: true });
  const server = http.createServer();
  server.on('upgrade', (req, socket, head) => {
    wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
  const { peer, websocket } = await connected({ wss, port: server.address().port });
  peer.send(frame(0x81, 'abc'));
  await once(websocket, 'message');
  const closed = once(websocket, 'close');
  wss.close();
  websocket.terminate();
  await closed;
  const last = await RawPeer.connect(server.address().port, request());
  cleanUp.push(() => last.socket.destroy());
  await last.body();
  const { connections, received } = wss.metrics();
  expect(received).toMatchObject({ messages: 1, bytes: 3 });
  expect(connections).toMatchObject({ current: 0, accepted: 1, closed: 1 });
  expect(connections.refused.closed).toBe(1);
});

test('servers of one process are kept apart, and clients are no part of them', async () => {
  const servers = [await served(), await served({}, 'noServer')];
  const peers = await Promise.all(servers.map(connected));
  for (const [index, { peer, websocket }] of peers.entries()) {
    for (let i = 0; i <= index; i++) peer.send(frame(0x81, 'a'));
    let count = 0;
    while (count <= index) {
      await once(websocket, 'message');
      count++;
    }
  }
  const client = new WebSocket(`ws://127.0.0.1:${servers[0].port}`);
  await once(client, 'open');
  client.ping();
  await once(client, 'pong');
  expect(servers.map(({ wss }) => wss.metrics().received)).toMatchObject([
    { messages: 1, pings: 1 },
    { messages: 2, pings: 0 }
  ]);
  client.terminate();
});

test('a server after others, which were closed, begins at nothing', async () => {
  for (let round = 0; round < 3; round++) {
    const server = await serve(WebSocket, 'port');
    const { peer, websocket } = await connected(server);
    peer.send(frame(0x81, 'a'));
    await once(websocket, 'message');
    expect(server.wss.metrics().received.messages).toBe(1);
    const closed = once(websocket, 'close');
    await Promise.all([server.close(), closed]);
    expect(server.wss.metrics().received.messages).toBe(1);
  }
});

test('numbers go on after a socket was given back', async () => {
  const server = await served();
  const { peer, websocket } = await connected(server);
  websocket.subscribe('a');
  peer.send(frame(0x81, 'a'));
  await once(websocket, 'message');
  server.wss.publish('a', 'b');
  websocket._socket.cork();
  websocket._socket.uncork();
  server.wss.publish('a', 'c');
  websocket.send('d');
  await read(peer, 3);
  peer.send(frame(0x81, 'a'));
  await once(websocket, 'message');
  const { received, sent, topics } = server.wss.metrics();
  expect([received.messages, sent.messages]).toEqual([2, 3]);
  expect(topics).toMatchObject({ publishes: 2, matched: 2, delivered: 2 });
});

test('topics and subscriptions follow those who join, leave and close', async () => {
  const server = await served();
  const members = [await connected(server), await connected(server)];
  for (const { websocket } of members) {
    for (const topic of ['a', 'b']) websocket.subscribe(topic);
    websocket.subscribe('a');
  }
  const now = () => {
    const { current, subscriptions } = server.wss.metrics().topics;
    return [current, subscriptions];
  };
  expect(now()).toEqual([2, 4]);
  members[0].websocket.unsubscribe('b');
  members[0].websocket.unsubscribe('b');
  expect(now()).toEqual([2, 3]);
  members[1].websocket.terminate();
  expect(now()).toEqual([1, 1]);
  members[0].websocket.close();
  expect(now()).toEqual([0, 0]);
});

describe.each(['buffer', 'drop-newest', 'drop-oldest', 'latest'])('%s', (onBackpressure) => {
  test('what is delivered and what is dropped is what was published', async () => {
    const server = await served({ maxBackpressure: LIMIT, onBackpressure });
    const { wss } = server;
    const members = [];
    for (let i = 0; i < 6; i++) members.push(await connected(server));
    for (const { websocket } of members) websocket.subscribe('news');
    const [{ peer: slow, websocket: behind }] = members;
    slow.socket.pause();
    let told = 0;
    let pressed = 0;
    let wasPressed = false;
    behind.on('backpressure', () => {
      pressed = 1;
      wasPressed = true;
    });
    behind.on('drain', () => (pressed = 0));
    for (const { websocket } of members) websocket.on('dropped', (messages) => (told += messages));
    let publishes = 0;
    const quick = members.slice(1);
    // As many as the kernel takes of one that does not read, and as many as may wait, again.
    const publish = async (count) => {
      for (let i = 0; i < count; i++, publishes++) wss.publish('news', String(i).padEnd(SIZE));
      await Promise.all(quick.map(({ peer }) => read(peer, count)));
    };
    while (!wasPressed) await publish(50);
    await publish(100);
    const { backpressure } = wss.metrics();
    expect(backpressure).toEqual({ connections: pressed, bytes: behind.bufferedAmount });
    expect(behind.bufferedAmount).toBeGreaterThan(0);

    slow.socket.resume();
    let metrics;
    do {
      metrics = wss.metrics();
      await new Promise(setImmediate);
    } while (metrics.backpressure.bytes > 0);
    const { dropped, sent, topics } = wss.metrics();
    expect(topics).toMatchObject({ publishes, matched: publishes * members.length });
    expect(topics.delivered + dropped.messages).toBe(publishes * members.length);
    expect(sent.messages).toBe(topics.delivered);
    expect(dropped.bytes).toBe(dropped.messages * SIZE);
    expect(dropped.messages > 0).toBe(onBackpressure !== 'buffer');
    expect(told).toBe(dropped.messages);
    for (const [policy, { messages, bytes }] of Object.entries(dropped.policies)) {
      expect([messages, bytes]).toEqual(
        policy === onBackpressure ? [dropped.messages, dropped.bytes] : [0, 0]
      );
    }
    // All that was given to the sockets arrives.
    await read(slow, topics.delivered - publishes * quick.length);
  });
});

test('servers that share topics: each counts its own members', async () => {
  const hub = `metrics ${process.pid}`;
  const servers = [await served({ hub }), await served({ hub }, 'noServer')];
  const members = [];
  for (const [index, server] of servers.entries()) {
    for (let i = 0; i <= index; i++) members.push(await connected(server));
  }
  for (const { websocket } of members) websocket.subscribe('a');
  for (let i = 0; i < 10; i++) servers[0].wss.publish('a', 'to all');
  members[0].websocket.publish('a', 'to the others');
  for (const [index, { peer }] of members.entries()) await read(peer, index === 0 ? 10 : 11);
  const [first, second] = servers.map(({ wss }) => wss.metrics().topics);
  expect(first).toEqual({
    current: 1,
    subscriptions: 1,
    publishes: 11,
    matched: 32,
    delivered: 10
  });
  expect(second).toEqual({
    current: 1,
    subscriptions: 2,
    publishes: 0,
    matched: 0,
    delivered: 22
  });
});

test('what a peer that leaves takes along is missing, and nothing falls below zero', async () => {
  const server = await served({ maxBackpressure: LIMIT, onBackpressure: 'drop-oldest' });
  const { wss } = server;
  const { peer, websocket } = await connected(server);
  websocket.subscribe('a');
  peer.socket.pause();
  let publishes = 0;
  while (wss.metrics().dropped.messages === 0) {
    for (let i = 0; i < 50; i++, publishes++) wss.publish('a', ''.padEnd(SIZE));
    await new Promise(setImmediate);
  }
  const closed = once(websocket, 'close');
  websocket.terminate();
  await closed;
  expect(wss.publish('a', 'to nobody')).toBe(0);
  const metrics = wss.metrics();
  const { delivered, matched } = metrics.topics;
  expect(matched).toBe(publishes);
  expect(delivered + metrics.dropped.messages).toBeLessThanOrEqual(publishes);
  expect(metrics.backpressure).toEqual({ connections: 0, bytes: 0 });
  const negative = numbersIn(metrics).filter(([, value]) => !(value >= 0));
  expect(negative).toEqual([]);
});

test('who drives, turns and what waits for JavaScript', async () => {
  const server = await served();
  const { peer, websocket } = await connected(server);
  for (let i = 0; i < 10; i++) {
    peer.send(frame(0x81, 'a'));
    await once(websocket, 'message');
  }
  const { inbound, reactors } = server.wss.metrics().thread;
  expect(reactors.map(({ driver }) => driver)).toEqual(bridge.drivers());
  if (reactors.length === 0) return;
  expect(inbound.bytes).toBeLessThan(inbound.limit);
  const turns = reactors.flatMap(({ turns: { inline, worker } }) => [inline, worker]);
  if (process.env.FERROWS_TRANSPORT !== 'stream') {
    const most = turns.reduce((sum, { count }) => sum + count, 0);
    expect(most).toBeGreaterThanOrEqual(10);
  }
  for (const { count, histogram, longest, seconds } of turns) {
    const counts = histogram.map((bucket) => bucket.count);
    expect(counts).toEqual([...counts].sort((one, other) => one - other));
    expect(histogram[histogram.length - 1]).toEqual({ upTo: Infinity, count });
    expect(seconds).toBeGreaterThanOrEqual(longest);
    expect(seconds).toBeLessThanOrEqual(longest * count);
  }
  if (!bridge.handTo('inline')) return;
  const handOvers = () => server.wss.metrics().thread.reactors.map((each) => each.handOvers);
  const before = handOvers();
  bridge.handTo('worker');
  handOvers().forEach((count, index) => expect(count).toBeGreaterThan(before[index]));
  bridge.handTo('inline');
});
