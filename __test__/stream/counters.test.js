// What a Receiver tells of itself between any two bytes, as ws's does.

'use strict';

const { libraries } = require('../support/libraries');
const { frame } = require('../support/raw-peer');

const ALWAYS = ['_bufferedBytes', '_errored', '_fragmented', '_loop', '_messageLength'];
ALWAYS.push('_numFragments', '_state', '_totalPayloadLength');
// Of the frame of a message whose payload is awaited; ws keeps those of the last frame afterwards.
const WITHIN = ['_compressed', '_fin', '_masked', '_opcode', '_payloadLength'];
const AWAITS_PAYLOAD = 4;

const STREAMS = {
  'whole messages': [frame(0x81, 'text'), frame(0x82, 'x'.repeat(200)), frame(0x81, '')],
  'a message in fragments': [
    frame(0x01, 'first'),
    frame(0x89, 'ping'),
    frame(0x00, ''),
    frame(0x00, 'second'),
    frame(0x80, 'third'),
    frame(0x82, 'next')
  ],
  'a long frame': [frame(0x82, 'x'.repeat(300)), frame(0x82, 'x'.repeat(70000)).subarray(0, 500)],
  'a close frame': [frame(0x81, 'a'), frame(0x88, Buffer.from([3, 232, 120]))]
};

function counters(receiver, names) {
  return names.map((name) => `${name} ${receiver[name]}`);
}

/** What there is to see of two Receivers after each piece of some bytes. */
function feed(bytes, size, options) {
  const all = { isServer: true, maxPayload: 1e6, ...options };
  const original = new libraries.ws.Receiver(all);
  const ours = new libraries.ferrows.Receiver(all);
  const seen = { original: [], ours: [] };
  const look = (names) => {
    seen.original.push(counters(original, names));
    seen.ours.push(counters(ours, names));
  };
  look(ALWAYS);
  for (let at = 0; at < bytes.length; at += size) {
    for (const receiver of [original, ours]) {
      receiver.write(Buffer.from(bytes.subarray(at, at + size)));
    }
    look(ALWAYS);
    // Within a control frame ours tells of the message around it.
    if (original._state === AWAITS_PAYLOAD && original._opcode < 8) look(WITHIN);
  }
  return seen;
}

test.each(Object.keys(STREAMS).flatMap((name) => [1, 2, 3, 7, 64].map((size) => [name, size])))(
  '%s, in pieces of %i bytes',
  (name, size) => {
    const bytes = Buffer.concat(STREAMS[name]);
    for (const options of [{}, { maxFragments: 100 }]) {
      const { original, ours } = feed(bytes, size, options);
      expect(ours).toEqual(original);
    }
  }
);

test('after an error, and while a frame is being inflated', async () => {
  const results = {};
  for (const [name, { Receiver, PerMessageDeflate }] of Object.entries(libraries)) {
    const failed = new Receiver({ isServer: true });
    failed.on('error', () => {});
    failed.write(Buffer.from([0x83, 0x80]));
    const extension = new PerMessageDeflate({ isServer: true });
    extension.accept([{}]);
    const receiver = new Receiver({
      isServer: true,
      extensions: { 'permessage-deflate': extension }
    });
    const message = new Promise((resolve) => receiver.on('message', resolve));
    const deflated = Buffer.from([0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
    const bytes = frame(0xc1, deflated);
    receiver.write(Buffer.from(bytes.subarray(0, 9)));
    const before = counters(receiver, [...ALWAYS, ...WITHIN]);
    receiver.write(Buffer.from(bytes.subarray(9)));
    const during = receiver._state;
    results[name] = [failed._errored, before, during, String(await message)];
    extension.cleanup();
  }
  expect(results.ferrows).toEqual(results.ws);
});

test('a value of the user stays', () => {
  for (const { Receiver } of Object.values(libraries)) {
    const receiver = new Receiver({ isServer: true });
    receiver._bufferedBytes = 7;
    expect([receiver._bufferedBytes, Object.keys(receiver).includes('_bufferedBytes')]).toEqual([
      7,
      true
    ]);
  }
});
