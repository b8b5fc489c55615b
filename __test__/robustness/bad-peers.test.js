'use strict';

const net = require('net');
const { once } = require('events');

const WebSocket = require('../..');
const { RawPeer, frame, request } = require('../support/raw-peer');

const TEXT = 0x81;

let wss;
let port;
let healthy;

beforeEach(async () => {
  wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
  await once(wss, 'listening');
  port = wss.address().port;
  wss.on('connection', (websocket) => {
    websocket.on('error', () => {});
    websocket.on('message', (data) => websocket.send(data));
  });
  healthy = await RawPeer.open(port);
});

afterEach(async () => {
  healthy.socket.destroy();
  for (const client of wss.clients) client.terminate();
  await new Promise((resolve) => wss.close(resolve));
});

/** A second connection must go on as if nothing had happened. */
async function expectHealth() {
  healthy.send(frame(TEXT, 'still there'));
  const { payload } = await healthy.nextFrame();
  expect(payload.toString()).toBe('still there');
}

/** The next WebSocket that the server makes, and the peer that caused it. */
async function pair() {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  const [websocket] = await connected;
  return { peer, websocket };
}

test('heads that are never finished harm nobody', async () => {
  const sockets = Array.from({ length: 200 }, () => net.connect(port, '127.0.0.1'));
  for (const socket of sockets) {
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nA: ');
  }
  await expectHealth();
  for (const socket of sockets) socket.destroy();
});

test('a head and frames that trickle in byte by byte are understood', async () => {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const peer = new RawPeer(socket);
  const bytes = Buffer.concat([Buffer.from(request()), frame(0x01, 'sl'), frame(0x80, 'ow')]);
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  const { payload } = await peer.nextFrame();
  expect(payload.toString()).toBe('slow');
  socket.destroy();
  await expectHealth();
});

test('100 000 tiny fragments end with 1008', async () => {
  const { peer, websocket } = await pair();
  const failed = once(websocket, 'error');
  peer.send(frame(0x02, 'a'), ...Array(100000).fill(frame(0x00, 'a')));
  const [error] = await failed;
  expect(error.code).toBe('WS_ERR_TOO_MANY_BUFFERED_PARTS');
  const { opcode, payload } = await peer.nextFrame();
  expect([opcode, payload.readUInt16BE(0)]).toEqual([8, 1008]);
  peer.socket.destroy();
  await expectHealth();
});

test('an announced length costs nothing until its bytes arrive', async () => {
  const before = process.memoryUsage().rss;
  const peers = [];
  for (let i = 0; i < 100; i++) {
    const { peer } = await pair();
    // 99 MiB announced, 1 KiB sent.
    peer.send(Buffer.from([0x82, 0xff, 0, 0, 0, 0, 6, 0x30, 0, 0, 1, 2, 3, 4]), Buffer.alloc(1024));
    peers.push(peer);
  }
  await expectHealth();
  expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
  for (const peer of peers) peer.socket.destroy();
});

test('a peer that never reads is buffered for, and terminate() ends it', async () => {
  const { peer, websocket } = await pair();
  peer.socket.pause();
  const block = Buffer.alloc(1 << 20);
  for (let i = 0; i < 32; i++) websocket.send(block);
  const failed = new Promise((resolve) => websocket.send('last', resolve));
  await expectHealth();
  expect(websocket.bufferedAmount).toBeGreaterThan(1 << 20);
  websocket.terminate();
  const error = await failed;
  expect(error.code).toBe('ERR_STREAM_DESTROYED');
  if (websocket.readyState !== WebSocket.CLOSED) await once(websocket, 'close');
  peer.socket.destroy();
  await expectHealth();
});

const resets = {
  'while connecting': async () => {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('GET / HTTP/1.1\r\n');
    socket.resetAndDestroy();
  },
  'when idle': async () => {
    const { peer, websocket } = await pair();
    peer.socket.resetAndDestroy();
    const [code] = await once(websocket, 'close');
    expect(code).toBe(1006);
  },
  'in the middle of a frame': async () => {
    const { peer, websocket } = await pair();
    peer.send(frame(TEXT, 'abcdef').subarray(0, 8));
    peer.socket.resetAndDestroy();
    const [code] = await once(websocket, 'close');
    expect(code).toBe(1006);
  },
  'while closing': async () => {
    const { peer, websocket } = await pair();
    websocket.close(1000);
    await peer.nextFrame();
    peer.socket.resetAndDestroy();
    const [code] = await once(websocket, 'close');
    expect(code).toBe(1006);
  }
};

test.each(Object.entries(resets))('a reset %s harms nobody', async (title, reset) => {
  await reset();
  await expectHealth();
});
