// Messages that arrive in JavaScript a slice at a time: order, pauses, ends. Both
// transports and drivers.

'use strict';

const { once } = require('events');
const { MessageChannel } = require('worker_threads');

const WebSocket = require('../support/library');

const LARGE = 9 * 1024 * 1024 + 3;
const large = Buffer.alloc(LARGE, 'abcdefg');

let wss;
let ws;
let client;

beforeEach(async () => {
  wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  await once(wss, 'listening');
  client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`, { perMessageDeflate: false });
  [[ws]] = await Promise.all([once(wss, 'connection'), once(client, 'open')]);
});

afterEach(async () => {
  for (const one of [client, ws]) one.terminate();
  await new Promise((resolve) => wss.close(resolve));
});

/** Resolves with the messages up to `last`. */
function collect(socket, last) {
  return new Promise((resolve) => {
    const messages = [];
    socket.on('message', (data, isBinary) => {
      messages.push(isBinary ? data : String(data));
      if (messages[messages.length - 1] === last) resolve(messages);
    });
  });
}

test('what comes before, between and behind large messages stays in order', async () => {
  const collected = collect(ws, 'end');
  client.send('a');
  client.send(large);
  client.send('b');
  client.ping('p');
  client.send(large);
  client.send('c');
  client.send('end');
  const pinged = once(ws, 'ping');
  const messages = await collected;
  expect(messages.map((one) => (typeof one === 'string' ? one : one.length))).toEqual([
    'a',
    LARGE,
    'b',
    LARGE,
    'c',
    'end'
  ]);
  expect(messages[1].equals(large) && messages[3].equals(large)).toBe(true);
  expect(String(await pinged)).toBe('p');
});

test('a close frame right behind one does not overtake it', async () => {
  const events = [];
  ws.on('message', (data) => events.push(data.length));
  ws.on('close', (code) => events.push(code));
  client.send(large);
  client.close(4001);
  await once(ws, 'close');
  expect(events).toEqual([LARGE, 4001]);
});

test('a pause holds it back, and others go on', async () => {
  const other = new WebSocket(client.url, { perMessageDeflate: false });
  const [[peer]] = await Promise.all([once(wss, 'connection'), once(other, 'open')]);
  ws.pause();
  let early = 0;
  const count = () => early++;
  ws.on('message', count);
  client.send(large);
  client.send(large);
  client.send(large);
  client.send('end');
  peer.on('message', (data) => peer.send(data));
  for (let round = 0; round < 50; round++) {
    other.send('x');
    await once(other, 'message');
  }
  expect(early).toBe(0);
  ws.off('message', count);
  const collected = collect(ws, 'end');
  ws.resume();
  expect((await collected).map((one) => one.length)).toEqual([LARGE, LARGE, LARGE, 3]);
  other.terminate();
});

test('terminate() while one arrives ends the connection and harms nobody', async () => {
  const closed = once(ws, 'close');
  client.send('first');
  client.send(large);
  await once(ws, 'message');
  ws.terminate();
  await closed;
  expect(ws.readyState).toBe(WebSocket.CLOSED);
});

test('a connection that gets its socket back meanwhile delivers it in order', async () => {
  const collected = collect(ws, 'end');
  client.send('first');
  client.send(large);
  client.send('end');
  await once(ws, 'message');
  ws._socket.cork();
  ws._socket.uncork();
  expect((await collected).map((one) => one.length)).toEqual([5, LARGE, 3]);
});

test('its memory can be moved to another thread', async () => {
  ws.binaryType = 'arraybuffer';
  client.send(large);
  const [data] = await once(ws, 'message');
  const { port1, port2 } = new MessageChannel();
  const moved = new Promise((resolve) => port2.once('message', resolve));
  port1.postMessage(data, [data]);
  expect(data.byteLength).toBe(0);
  const there = Buffer.from(await moved);
  port1.close();
  expect(there.equals(large)).toBe(true);
});

test('the lengths of its fragments come with it', async () => {
  ws.binaryType = 'fragments';
  const half = large.subarray(0, LARGE >> 1);
  client.send(half, { fin: false });
  client.send(half, { fin: true });
  const [data] = await once(ws, 'message');
  expect(data.reduce((sum, part) => sum + part.length, 0)).toBe(2 * half.length);
});
