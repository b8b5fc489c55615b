// Emptying a server, and how many connections it takes.

'use strict';

const http = require('http');
const { once } = require('events');

const WebSocket = require('../..');
const { serve } = require('../support/libraries');
const { RawPeer, frame, request } = require('../support/raw-peer');
const { Drain, readDrain } = require('../../lib/drain');

const cleanUp = [];

afterEach(async () => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  while (cleanUp.length > 0) await cleanUp.pop()();
});

async function served(mode, options) {
  const server = await serve(WebSocket, mode, options);
  cleanUp.push(server.close);
  return server;
}

async function connect({ wss, port }) {
  const connection = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  cleanUp.push(() => peer.socket.destroy());
  const [websocket] = await connection;
  return { peer, websocket };
}

/** The answer to an upgrade request that is refused. */
async function refused(port, options) {
  const peer = await RawPeer.connect(port, request(options));
  cleanUp.push(() => peer.socket.destroy());
  await peer.body();
  return peer.head;
}

/** Answers the close frame as a client does. */
async function reply(peer) {
  const next = await peer.nextFrame();
  expect(next).toMatchObject({ opcode: 8 });
  peer.send(frame(0x88, next.payload));
  peer.socket.end();
  return next.payload;
}

describe.each(['port', 'noServer'])('drain, %s', (mode) => {
  test('closes with code and reason, refuses with Retry-After, and resolves with all gone', async () => {
    const server = await served(mode);
    const ends = [await connect(server), await connect(server), await connect(server)];
    const codes = ends.map(async ({ websocket }) => (await once(websocket, 'close'))[0]);
    const drained = server.wss.drain({ code: 1012, reason: 'again', retryAfter: 7 });
    const head = await refused(server.port);
    expect(head).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n/);
    expect(head).toMatch(/\r\nRetry-After: 7\r\n/i);
    for (const { peer } of ends) expect(String(await reply(peer))).toBe('\x03\ufffdagain');
    await expect(drained).resolves.toEqual({ closed: 3, terminated: 0 });
    await expect(Promise.all(codes)).resolves.toEqual([1012, 1012, 1012]);
    expect(server.wss.clients.size).toBe(0);
    // It stays so until the server is closed.
    expect(await refused(server.port)).toMatch(/^HTTP\/1.1 503 /);
    await expect(server.wss.drain()).resolves.toEqual({ closed: 3, terminated: 0 });
  });

  test('terminates who does not answer', async () => {
    const server = await served(mode);
    const silent = await connect(server);
    const closed = once(silent.websocket, 'close');
    const drained = server.wss.drain({ timeout: 50 });
    await expect(silent.peer.rest()).resolves.toEqual(['8: \x03\xe9']);
    await expect(drained).resolves.toEqual({ closed: 0, terminated: 1 });
    expect((await closed)[0]).toBe(1006);
  });

  test('a handshake that began before is refused at its end', async () => {
    let decide;
    const deciding = new Promise((resolve) => {
      const verifyClient = (info, callback) => resolve(callback);
      decide = served(mode, { verifyClient });
    });
    const server = await decide;
    const peer = await RawPeer.connect(server.port);
    const callback = await deciding;
    await expect(server.wss.drain()).resolves.toEqual({ closed: 0, terminated: 0 });
    callback(true);
    await peer.body();
    expect(peer.head).toMatch(/^HTTP\/1.1 503 [^]*Retry-After: 10\r\n/);
  });
});

test('drain works without client tracking and calls no member of the user', async () => {
  const calls = [];
  class Own extends WebSocket {
    close(...details) {
      calls.push('close');
      super.close(...details);
    }
    terminate() {
      calls.push('terminate');
      super.terminate();
    }
  }
  const server = await served('port', { clientTracking: false, WebSocket: Own });
  const [one, other] = [await connect(server), await connect(server)];
  const drained = server.wss.drain({ timeout: 50 });
  await expect(other.peer.rest()).resolves.toEqual(['8: \x03\xe9']);
  expect(calls).toEqual([]);
  await expect(drained).resolves.toEqual({ closed: 0, terminated: 2 });
  await expect(one.peer.rest()).resolves.toEqual(['8: \x03\xe9']);
});

test('a server that is closed can be drained, and one that is drained closed', async () => {
  const server = await served('port');
  const { peer } = await connect(server);
  const closed = new Promise((resolve) => server.wss.close(resolve));
  const drained = server.wss.drain();
  await reply(peer);
  await expect(drained).resolves.toEqual({ closed: 1, terminated: 0 });
  await closed;
});

test.each([
  [{ code: 1005 }, TypeError],
  [{ code: 'x' }, TypeError],
  [{ code: 5000 }, RangeError],
  [{ reason: 'x'.repeat(124) }, RangeError],
  [{ timeout: -1 }, RangeError],
  [{ jitter: 1.5 }, RangeError],
  [{ retryAfter: '1' }, TypeError],
  [{ timeOut: 1 }, TypeError],
  [5, TypeError]
])('drain(%p) rejects and changes nothing', async (options, Class) => {
  const server = await served('port');
  await expect(server.wss.drain(options)).rejects.toBeInstanceOf(Class);
  await connect(server);
});

test('close frames are spread over the jitter, the end comes after both times', async () => {
  jest.useFakeTimers();
  const chances = [0.9, 0.1, 0.5, 0.1];
  jest.spyOn(Math, 'random').mockImplementation(() => chances.shift());
  const connections = new Set(['a', 'b', 'c', 'd']);
  const trace = [];
  const drain = new Drain(connections, readDrain({ jitter: 1000, timeout: 500 }), {
    close: (name) => trace.push(name),
    terminate(name) {
      trace.push(`no ${name}`);
      connections.delete(name);
      drain.onClosed(name);
    }
  });
  drain.begin();
  const at = (time) => {
    jest.advanceTimersByTime(time);
    return trace.splice(0);
  };
  expect(at(99)).toEqual([]);
  expect(at(1)).toEqual(['b', 'd']);
  connections.delete('b');
  drain.onClosed('b');
  // One that leaves by itself is not closed again.
  connections.delete('c');
  drain.onClosed('c');
  expect(at(799)).toEqual([]);
  expect(at(1)).toEqual(['a']);
  expect(at(599)).toEqual([]);
  expect(at(1)).toEqual(['no a', 'no d']);
  await expect(drain.done).resolves.toEqual({ closed: 2, terminated: 2 });
  expect(jest.getTimerCount()).toBe(0);
});

describe.each(['port', 'noServer'])('maxConnections, %s', (mode) => {
  test('refuses with 503 what is too much, and takes others when one has left', async () => {
    const server = await served(mode, { maxConnections: 2, clientTracking: mode === 'port' });
    const ends = [await connect(server), await connect(server)];
    const head = await refused(server.port);
    expect(head).toMatch(/^HTTP\/1.1 503 Service Unavailable\r\n/);
    expect(head).not.toMatch(/retry-after/i);
    // Other requests are answered as ever.
    expect(await refused(server.port, { method: 'POST' })).toMatch(/^HTTP\/1.1 40\d /);
    const closed = once(ends[0].websocket, 'close');
    ends[0].peer.socket.destroy();
    await closed;
    await connect(server);
    expect(await refused(server.port)).toMatch(/^HTTP\/1.1 503 /);
    for (const { websocket } of ends) websocket.terminate();
  });

  test('counts when the handshake ends, however many began', async () => {
    const callbacks = [];
    const verifyClient = (info, callback) => callbacks.push(callback);
    const server = await served(mode, { maxConnections: 1, verifyClient });
    const peers = [await RawPeer.connect(server.port), await RawPeer.connect(server.port)];
    while (callbacks.length < 2) await new Promise(setImmediate);
    for (const callback of callbacks) callback(true);
    const heads = await Promise.all(peers.map((peer) => peer.headers()));
    expect(heads.map((head) => head.slice(9, 12)).sort()).toEqual(['101', '503']);
    for (const peer of peers) peer.socket.destroy();
  });
});

test('connections on an http.Server count, too', async () => {
  const server = http.createServer();
  const wss = new WebSocket.Server({ server, maxConnections: 1 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
  const { websocket } = await connect({ wss, port: server.address().port });
  expect(await refused(server.address().port)).toMatch(/^HTTP\/1.1 503 /);
  websocket.terminate();
});
