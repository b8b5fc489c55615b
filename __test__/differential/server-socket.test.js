'use strict';

const { once } = require('events');

const { compare } = require('./run');
const { RawPeer, frame } = require('../support/raw-peer');

const TEXT = 0x81;
const BINARY = 0x82;
const CLOSE = 0x88;
const PING = 0x89;
const PONG = 0x8a;

/** Sends bytes to a fresh connection and notes all that happens on both sides. */
function exchange(title, bytes, options, setUp = () => {}) {
  compare(
    title,
    async ({ wss, port, trace, watch }) => {
      const connected = once(wss, 'connection');
      const peer = await RawPeer.open(port);
      const [websocket] = await connected;
      // Not once(): that rejects on 'error', and 'close' comes after it.
      const closed = new Promise((resolve) => websocket.on('close', resolve));
      watch(websocket, trace);
      setUp(websocket, trace);
      peer.send(...[].concat(bytes));
      const frames = await peer.rest();
      peer.socket.end();
      await closed;
      trace.push(...frames.map((text) => `peer got ${text}`));
    },
    options
  );
}

const bye = frame(CLOSE, Buffer.from([0x03, 0xe8, 0x62, 0x79, 0x65]));

exchange('messages, then a close', [frame(TEXT, 'hi'), frame(BINARY, 'bytes'), bye]);
exchange('empty messages', [frame(TEXT), frame(BINARY), bye]);
exchange('a close frame without a code', frame(CLOSE));
exchange('a close frame with a code only', frame(CLOSE, Buffer.from([0x0f, 0xa0])));
exchange('bytes after a close frame', [bye, frame(TEXT, 'late')]);
exchange(
  'pings are answered before what their listener sends',
  [frame(PING, 'p'), bye],
  {},
  (ws) => {
    ws.on('ping', () => ws.send('after'));
  }
);
exchange('pings stay in order with echoes', [frame(TEXT, 'a'), frame(PING, 'p'), bye], {}, (ws) => {
  ws.on('message', (data) => ws.send(data));
});
exchange('autoPong off', [frame(PING, 'p'), bye], { autoPong: false });
exchange('pongs', [frame(PONG), frame(PONG, 'x'), bye]);
exchange('fragments with a ping between', [
  frame(0x01, 'a'),
  frame(PING, 'p'),
  frame(0x00),
  frame(0x80, 'b'),
  bye
]);
exchange('too many pings at once', Array(100).fill(frame(PING, 'p')));

const violations = {
  'RSV2 set': frame(0xa1, 'x'),
  'RSV1 set': frame(0xc1, 'x'),
  'RSV1 on a control frame': frame(0xc9, 'x'),
  'opcode 3': frame(0x83, 'x'),
  'opcode 11': frame(0x8b, 'x'),
  'a continuation of nothing': frame(0x80, 'x'),
  'a text frame inside a message': [frame(0x01, 'a'), frame(TEXT, 'b')],
  'a fragmented ping': frame(0x09, 'x'),
  'a ping of 126 bytes': frame(PING, 'x'.repeat(126)),
  'a close frame of one byte': frame(CLOSE, 'x'),
  'an unmasked frame': frame(TEXT, 'x', { mask: false }),
  'a length above 2^53': Buffer.from([0x82, 0xff, 0, 0x20, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]),
  'close code 1005': frame(CLOSE, Buffer.from([0x03, 0xed])),
  'close code 999': frame(CLOSE, Buffer.from([0x03, 0xe7])),
  'close code 5000': frame(CLOSE, Buffer.from([0x13, 0x88])),
  'text that is not UTF-8': frame(TEXT, Buffer.from([0xce, 0xba, 0xff])),
  'a close reason that is not UTF-8': frame(CLOSE, Buffer.from([0x03, 0xe8, 0xff]))
};
for (const [title, bytes] of Object.entries(violations)) {
  exchange(`violation: ${title}`, bytes);
  exchange(`violation after a message: ${title}`, [frame(TEXT, 'ok')].concat(bytes));
}

exchange('a message above maxPayload', frame(BINARY, 'x'.repeat(11)), { maxPayload: 10 });
exchange('fragments above maxPayload', [frame(0x02, '123456'), frame(0x80, '12345')], {
  maxPayload: 10
});
exchange('a message of maxPayload', [frame(BINARY, 'x'.repeat(10)), bye], { maxPayload: 10 });
exchange(
  'more fragments than maxFragments',
  [frame(0x02, 'a'), frame(0x00, 'b'), frame(0x80, 'c')],
  { maxFragments: 2 }
);
exchange('skipUTF8Validation', [frame(TEXT, Buffer.from([0xff])), bye], {
  skipUTF8Validation: true
});

exchange('close() by us', bye, {}, (ws) => ws.close(3000, 'ours'));
exchange('close() twice, then more', bye, {}, (ws, trace) => {
  ws.close();
  ws.close(1001);
  ws.send('late', (error) => trace.push(`send: ${error.message}`));
  ws.ping('late', undefined, (error) => trace.push(`ping: ${error.message}`));
  trace.push(`buffered ${ws.bufferedAmount > 0}`);
});
exchange('messages that arrive after close()', [frame(TEXT, 'a'), bye], {}, (ws) => ws.close());
exchange('terminate()', bye, {}, (ws) => ws.terminate());
exchange('terminate() twice and close() after it', bye, {}, (ws) => {
  ws.terminate();
  ws.terminate();
  ws.close();
});

compare('the peer finishes without a close frame', async ({ wss, port, trace, watch }) => {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  const [websocket] = await connected;
  watch(websocket, trace);
  peer.socket.end(frame(TEXT, 'last'));
  await once(websocket, 'close');
  trace.push(...(await peer.rest()));
});

compare('the peer resets', async ({ wss, port, trace, watch }) => {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  const [websocket] = await connected;
  watch(websocket, trace);
  peer.socket.resetAndDestroy();
  await once(websocket, 'close');
  websocket.send('x', (error) => trace.push(error.message));
  await new Promise(setImmediate);
});

compare('what leaves for each kind of data', async ({ wss, port, trace }) => {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  const [websocket] = await connected;
  const bytes = new Uint8Array([1, 2, 3, 4]);
  const values = ['text', '', 'κόσμε', 5, 0, null, undefined, false, Buffer.from('b'), bytes];
  values.push(bytes.subarray(1, 3), new DataView(bytes.buffer, 2), bytes.buffer, [65, 66]);
  values.push(new Uint16Array([513]), { type: 'Buffer', data: [67] });
  for (const value of values) websocket.send(value);
  for (const value of [true, {}, Symbol('x'), () => {}, 1n]) {
    try {
      websocket.send(value);
      trace.push('sent');
    } catch (error) {
      trace.push(`${error.name} ${error.code}`);
    }
  }
  websocket.send('a', { fin: false });
  websocket.send(Buffer.from('b'), { fin: false });
  websocket.ping('between');
  websocket.send('c');
  websocket.send('binary?', { binary: true });
  websocket.send(Buffer.from('text?'), { binary: false });
  websocket.send('masked', { mask: true });
  websocket.ping();
  websocket.ping(7);
  websocket.pong('x'.repeat(125));
  websocket.pong(Buffer.from('p'), false, () => {});
  websocket.close(4000, Buffer.from('done'));
  peer.send(frame(CLOSE, Buffer.from([0x0f, 0xa0])));
  const frames = [];
  for (let next = await peer.nextFrame(); next !== null; next = await peer.nextFrame()) {
    // A masked frame from a server has a random key: its presence is what counts.
    frames.push(next);
    if (next.masked) break;
  }
  trace.push(
    ...frames.map(({ fin, opcode, masked, payload }) => {
      return [fin, opcode, masked, masked ? payload.length : payload.toString('hex')].join(' ');
    })
  );
});

compare('arguments that throw', async ({ wss, port, trace }) => {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  const [websocket] = await connected;
  const attempts = {
    'close code 0': () => websocket.close(0),
    'close code text': () => websocket.close('1000'),
    'close code 1005': () => websocket.close(1005),
    'close code 2999': () => websocket.close(2999),
    'long reason': () => websocket.close(1000, 'x'.repeat(124)),
    'long reason in bytes': () => websocket.close(1000, 'é'.repeat(62)),
    'bad reason': () => websocket.close(1000, [1]),
    'long ping': () => websocket.ping('x'.repeat(126)),
    'long pong': () => websocket.pong(Buffer.alloc(126))
  };
  for (const [name, attempt] of Object.entries(attempts)) {
    try {
      attempt();
      trace.push(`${name}: nothing`);
    } catch (error) {
      trace.push(`${name}: ${error.name} ${error.message} rs ${websocket.readyState}`);
    }
  }
  websocket.close(1000, 123);
  peer.send(bye);
  trace.push(...(await peer.rest()));
});
