// Small frames are read in JavaScript: beside the decoder, with frames of all kinds in
// chunks of all sizes.

'use strict';

const { Receiver } = require('../..');
const { frame } = require('../support/raw-peer');

const ROUNDS = 2000;

/** A Receiver that leaves everything to the decoder. */
class DecodingReceiver extends Receiver {
  get _isMidway() {
    return true;
  }

  set _isMidway(_) {}
}

/** Numbers below `limit` that are the same for the same seed (xorshift). */
function randomNumbers(seed) {
  let state = seed | 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const TEXTS = ['', 'a', 'plain text', 'grün', '\u{1f600}', 'x'.repeat(64), 'y'.repeat(65)];
const LENGTHS = [0, 1, 2, 3, 4, 5, 63, 64, 65, 124, 125, 126, 127, 200];
const USUAL = [0x81, 0x82, 0x81, 0x82, 0x89, 0x8a];
const UNUSUAL = [0x01, 0x02, 0x00, 0x80, 0x88, 0xc1, 0xa2, 0x09, 0x83, 0x8b, 0x0a];

function anyFrame(random, mask) {
  const fixed = random(60);
  if (fixed < 2) return frame(0x88, Buffer.from([0x03, 0xe8]), { mask });
  if (fixed === 2) return frame(0x82, Buffer.alloc(70000), { mask });
  if (fixed < 6) {
    return Buffer.concat([0x02, 0x00, 0x80].map((first) => frame(first, 'part', { mask })));
  }
  const first = random(8) > 0 ? USUAL[random(USUAL.length)] : UNUSUAL[random(UNUSUAL.length)];
  const isText = (first & 15) === 1 || first === 0x80;
  const text = Buffer.from(TEXTS[random(TEXTS.length)]);
  const payload = isText ? text : Buffer.alloc(LENGTHS[random(LENGTHS.length)], random(256));
  const bytes = frame(first, payload, { mask: random(60) > 0 ? mask : !mask });
  // What is no UTF-8, another length, another mask.
  if (random(40) === 0) bytes[random(Math.min(bytes.length, 12))] ^= 1 << random(8);
  return bytes;
}

function anyCase(seed) {
  const random = randomNumbers(seed * 2654435761);
  const isServer = random(2) === 0;
  const frames = Array.from({ length: 1 + random(8) }, () => anyFrame(random, isServer));
  const bytes = Buffer.concat(frames);
  const chunks = [];
  const longest = [bytes.length, 3, 80, 300][random(4)];
  for (let at = 0; at < bytes.length; at += chunks[chunks.length - 1].length) {
    const size = 1 + (longest === bytes.length ? bytes.length : random(longest));
    chunks.push(Buffer.from(Uint8Array.from(bytes.subarray(at, at + size)).buffer));
  }
  const options = {
    binaryType: ['nodebuffer', 'arraybuffer', 'fragments'][random(3)],
    isServer,
    maxFragments: [0, 2][random(2)],
    maxPayload: [0, 64, 100][random(3)],
    skipUTF8Validation: random(4) === 0
  };
  return { options, chunks };
}

const hex = (data) => [data].flat().map((part) => Buffer.from(part).toString('hex'));

async function eventsOf(Kind, { options, chunks }) {
  const receiver = new Kind(options);
  const events = [];
  const over = new Promise((resolve) => receiver.on('close', resolve));
  receiver.on('message', (data, isBinary) => events.push(['message', hex(data), isBinary]));
  receiver.on('ping', (data) => events.push(['ping', hex(data)]));
  receiver.on('pong', (data) => events.push(['pong', hex(data)]));
  receiver.on('conclude', (code, reason) => events.push(['conclude', code, hex(reason)]));
  receiver.on('error', ({ name, code, message }) => events.push([name, code, message]));
  for (const chunk of chunks) receiver.write(Buffer.from(chunk));
  receiver.end();
  await over;
  return events;
}

test('as the decoder has them', async () => {
  const kinds = new Set();
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const one = anyCase(seed);
    const [read, decoded] = await Promise.all(
      [Receiver, DecodingReceiver].map((Kind) => eventsOf(Kind, one))
    );
    if (JSON.stringify(read) !== JSON.stringify(decoded)) {
      expect({ seed, ...one.options, events: read }).toEqual({
        seed,
        ...one.options,
        events: decoded
      });
    }
    for (const [name, code] of decoded) kinds.add(/Error$/.test(name) ? code : name);
  }
  // The cases reach what they are about.
  expect(
    [
      'message',
      'ping',
      'pong',
      'conclude',
      'WS_ERR_INVALID_UTF8',
      'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
      'WS_ERR_EXPECTED_MASK',
      'WS_ERR_UNEXPECTED_MASK',
      'WS_ERR_INVALID_OPCODE',
      'WS_ERR_UNEXPECTED_RSV_1',
      'WS_ERR_EXPECTED_FIN',
      'WS_ERR_TOO_MANY_BUFFERED_PARTS'
    ].filter((kind) => !kinds.has(kind))
  ).toEqual([]);
});

/** What a listener does that writes, at its first event, to the receiver that it listens to. */
test.each([
  ['small', frame(0x81, 'within')],
  ['large', frame(0x82, Buffer.alloc(70000, 98))],
  ['wrong', Buffer.from([0x83, 0x80, 0, 0, 0, 0])]
])('a %s chunk that a listener writes comes behind the rest', async (name, within) => {
  const traces = [];
  for (const Kind of [Receiver, DecodingReceiver]) {
    const receiver = new Kind({ isServer: true });
    const trace = [];
    receiver.on('error', (error) => trace.push(error.code));
    const written = new Promise((resolve) => {
      receiver.on('message', (data) => {
        if (trace.push(data.toString()) > 1) return;
        receiver.write(Buffer.from(within), (error) => {
          trace.push(`within: ${error || 'done'}`);
          setImmediate(resolve);
        });
      });
    });
    const rest = [frame(0x81, 'one'), frame(0x82, Buffer.alloc(200, 97)), frame(0x81, 'two')];
    receiver.write(Buffer.concat(rest));
    expect(trace.slice(0, 3)).toEqual(['one', 'a'.repeat(200), 'two']);
    await written;
    if (!receiver.destroyed) receiver.write(frame(0x81, 'three'));
    traces.push(trace);
  }
  expect(traces[0]).toEqual(traces[1]);
  expect(traces[0]).toHaveLength(name === 'wrong' ? 5 : 6);
});

test('what is emitted at once leaves room for more, whatever its size', () => {
  const receiver = new Receiver({ isServer: true });
  let count = 0;
  receiver.on('message', () => count++);
  expect(receiver.write(frame(0x82, Buffer.alloc(100000)))).toBe(true);
  expect(count).toBe(1);
  const stepped = new Receiver({ isServer: true, allowSynchronousEvents: false });
  expect(stepped.write(frame(0x82, Buffer.alloc(100000)))).toBe(false);
});

test('a small message pins nothing but itself', () => {
  const receiver = new Receiver({ isServer: true });
  const sizes = [];
  receiver.on('message', (data) => sizes.push([data.length, data.buffer.byteLength]));
  const ahead = frame(0x82, Buffer.alloc(100));
  receiver.write(Buffer.concat([ahead, frame(0x81, 'x'.repeat(64)), frame(0x82, 'last')]));
  expect(sizes).toEqual([
    [100, 100],
    [64, 64],
    [4, 4]
  ]);
});
