// Prepared messages: send() of one is send() of its data.

'use strict';

const zlib = require('zlib');
const { once } = require('events');

const WebSocket = require('../..');
const { crowd, framesBefore } = require('../support/crowd');

const TRAILER = Buffer.from([0, 0, 0xff, 0xff]);

let close = () => {};

afterEach(() => close());

async function gather(count, options, requestOptions) {
  const made = await crowd(WebSocket, count, options, requestOptions);
  ({ close } = made);
  return made;
}

/**
 * The next frames of a peer: their heads, and their payloads without compression. Compressed bytes
 * depend on how the payload was cut into slices.
 */
async function contents({ peer }, count, takesOver) {
  const [heads, payloads] = [[], []];
  let window = Buffer.alloc(0);
  while (heads.length < count) {
    const { fin, rsv, opcode, payload } = await peer.nextFrame();
    heads.push([fin, rsv, opcode]);
    if (rsv === 0) {
      payloads.push(payload);
      continue;
    }
    const deflated = Buffer.concat([payload, TRAILER]);
    const finishFlush = zlib.constants.Z_SYNC_FLUSH;
    const options = window.length > 0 ? { dictionary: window, finishFlush } : { finishFlush };
    payloads.push(zlib.inflateRawSync(deflated, options));
    if (takesOver) window = Buffer.concat([window, payloads.at(-1)]).subarray(-32768);
  }
  return { heads, payload: Buffer.concat(payloads) };
}

const KINDS = [
  ['text', undefined],
  ['grüße', undefined],
  ['', undefined],
  [7, undefined],
  [undefined, undefined],
  [Buffer.from('bytes'), undefined],
  [new Uint8Array([1, 2]).buffer, undefined],
  ['text', { binary: true }],
  [Buffer.from('text'), { binary: false }],
  ['y'.repeat(2000), { compress: false }],
  ['z'.repeat(2000), { compress: true }],
  ['z'.repeat(2001), undefined],
  [Buffer.alloc(50000, 'a'), undefined],
  [Buffer.alloc(2 << 20, 'b'), undefined]
];

const OFFERS = [
  ['without compression', undefined, false],
  ['without context takeover', 'permessage-deflate; server_no_context_takeover', false],
  ['with context takeover', 'permessage-deflate', true]
];

test.each(OFFERS)('the same messages as of send(), %s', async (_, offer, takesOver) => {
  const headers = { 'Sec-WebSocket-Extensions': offer || null };
  const { members } = await gather(3, { perMessageDeflate: true }, { headers });
  const [one, ...others] = members;
  const count = 2 * KINDS.length;
  for (let round = 0; round < 2; round++) {
    const prepared = KINDS.map(([data, options]) => WebSocket.prepare(data, options));
    for (const [data, options] of KINDS) one.ws.send(data, options);
    for (const { ws } of others) for (const message of prepared) ws.send(message);
  }
  const expected = await contents(one, count, takesOver);
  for (const other of others) {
    const got = await contents(other, count, takesOver);
    expect(got.heads).toEqual(expected.heads);
    expect(got.payload.equals(expected.payload)).toBe(true);
  }
});

test('it may be kept, whatever else is prepared', async () => {
  const { members } = await gather(2);
  const kept = Array.from({ length: 20 }, (_, index) => WebSocket.prepare(`${index}`));
  const expected = [];
  for (let round = 0; round < 3; round++) {
    for (const [index, message] of kept.entries()) {
      for (const { ws } of members) ws.send(message);
      expected.push(`1: ${index}`);
    }
    await new Promise(setImmediate);
  }
  for (const member of members) expect(await framesBefore(member)).toEqual(expected);
});

test('its place is behind what was sent before, a Blob and fragments included', async () => {
  const { wss, members } = await gather(1);
  const [{ ws }] = members;
  const message = WebSocket.prepare('p');
  ws.subscribe('t');
  ws.send('1');
  ws.send(message);
  wss.publish('t', '2');
  ws.send(new Blob(['3']));
  const sent = new Promise((resolve) => ws.send(message, resolve));
  ws.send('4');
  expect(await sent).toBeFalsy();
  ws.send('5', { fin: false });
  ws.send(message);
  ws.send(message);
  expect(await framesBefore(members[0])).toEqual([
    '1: 1',
    '1: p',
    '1: 2',
    '2: 3',
    '1: p',
    '1: 4',
    'part 1: 5',
    '0: p',
    '1: p'
  ]);
});

test('callbacks, and what is buffered', async () => {
  const { members } = await gather(1);
  const [{ ws, peer }] = members;
  const message = WebSocket.prepare(Buffer.alloc(1 << 20));
  const called = [];
  peer.socket.pause();
  let count = 0;
  do {
    const number = count++;
    ws.send(message, {}, () => called.push(number));
    await new Promise(setImmediate);
  } while (ws.bufferedAmount === 0);
  const before = ws.bufferedAmount;
  ws.send(message);
  expect(ws.bufferedAmount).toBe(before + (1 << 20) + 10);
  peer.socket.resume();
  await new Promise((resolve) => ws.ping('', false, resolve));
  expect(called).toEqual(Array.from({ length: count }, (_, index) => index));
  expect(ws.bufferedAmount).toBe(0);
  ws.terminate();
  const error = await new Promise((resolve) => ws.send(message, resolve));
  expect(error.message).toBe('WebSocket is not open: readyState 2 (CLOSING)');
  expect(ws.bufferedAmount).toBeGreaterThanOrEqual(1 << 20);
});

test('a client sends it masked', async () => {
  const { wss } = await gather(0, { perMessageDeflate: true });
  const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
  expect(() => client.send(WebSocket.prepare('x'))).toThrow(/CONNECTING/);
  const [[ws]] = await Promise.all([once(wss, 'connection'), once(client, 'open')]);
  const got = [];
  ws.on('message', (data, isBinary) => got.push([data.toString(), isBinary]));
  client.send(WebSocket.prepare('text'.repeat(1000)));
  client.send(WebSocket.prepare(Buffer.from('bytes')));
  client.close();
  await once(ws, 'close');
  expect(got).toEqual([
    ['text'.repeat(1000), false],
    ['bytes', true]
  ]);
});

test('the bytes are copied, and a Blob cannot be prepared', async () => {
  const { members } = await gather(1);
  const data = Buffer.from('before');
  const message = WebSocket.prepare(data);
  data.write('after ');
  members[0].ws.send(message);
  expect(await framesBefore(members[0])).toEqual(['2: before']);
  const invalid = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
  for (const wrong of [new Blob(['x']), {}, true, Symbol('x')]) {
    expect(() => WebSocket.prepare(wrong)).toThrow(invalid);
  }
});

test('on a connection that was given back to Node', async () => {
  const { members } = await gather(1);
  const [{ ws }] = members;
  const message = WebSocket.prepare('p');
  ws.send(message);
  expect(ws._socket._handle.fd).toBeGreaterThan(0);
  const sent = new Promise((resolve) => ws.send(message, resolve));
  expect(await sent).toBeFalsy();
  expect(await framesBefore(members[0])).toEqual(['1: p', '1: p']);
});
