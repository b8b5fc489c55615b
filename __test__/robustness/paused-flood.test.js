// A peer that floods a WebSocket which is paused.

'use strict';

const { once } = require('events');

const WebSocket = require('../..');
const { RawPeer, frame } = require('../support/raw-peer');
const { serve } = require('../support/libraries');

const COUNT = 400_000;
const PAYLOAD = 'x'.repeat(100);
// What the kernel keeps, at both ends, and what is held. All of it is more than twice as much.
const MOST = 16 << 20;
const PIECE = 64 * 1024;
const ROUNDS = 500;

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

test('what it sends is not read, and all of it comes later', async () => {
  const server = await serve(WebSocket, 'port');
  cleanUp.push(server.close);
  const { wss } = server;
  const flooded = once(wss, 'connection');
  const attacker = await RawPeer.open(server.port);
  cleanUp.push(() => attacker.socket.destroy());
  const [websocket] = await flooded;
  let count = 0;
  websocket.on('message', () => count++);
  websocket.pause();
  wss.on('connection', (other) => other.on('message', (data) => other.send(data)));
  const healthy = await RawPeer.open(server.port);
  cleanUp.push(() => healthy.socket.destroy());

  // One piece after the other: what was taken of several at once is not known.
  const bytes = Buffer.concat(Array(COUNT).fill(frame(0x81, PAYLOAD)));
  let taken = 0;
  (function write() {
    taken += PIECE;
    if (taken < bytes.length + PIECE) {
      attacker.socket.write(bytes.subarray(taken - PIECE, taken), write);
    }
  })();
  // Each round gives the server the chance to read of the other one, too.
  let before = taken;
  for (let round = 0; round < ROUNDS; round++) {
    healthy.send(frame(0x81, 'still there'));
    expect(String((await healthy.nextFrame()).payload)).toBe('still there');
    if (taken !== before) round = 0;
    before = taken;
  }
  expect(taken).toBeLessThan(MOST);
  expect(count).toBe(0);

  websocket.resume();
  while (count < COUNT) await once(websocket, 'message');
  expect(count).toBe(COUNT);
});
