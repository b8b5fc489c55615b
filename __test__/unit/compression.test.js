'use strict';

const { layout } = require('../../lib/bridge');
const { compressionSettings, suitsWorkers } = require('../../lib/compression');
const PerMessageDeflate = require('../../lib/permessage-deflate');

const field = (word, shift) => (word >> shift) & 15;

function settings(options, params, isServer = true) {
  const deflate = new PerMessageDeflate({ ...options, isServer });
  deflate.accept([params]);
  return compressionSettings(deflate, isServer);
}

test('each end gets its own parameters', () => {
  const params = () => ({
    server_max_window_bits: ['10'],
    client_max_window_bits: ['12'],
    server_no_context_takeover: [true]
  });
  for (const isServer of [true, false]) {
    const { word } = settings({}, params(), isServer);
    expect(word & layout.COMPRESSION_ON).not.toBe(0);
    expect(Boolean(word & layout.COMPRESSION_DEFLATE_TAKEOVER)).toBe(!isServer);
    expect(Boolean(word & layout.COMPRESSION_INFLATE_TAKEOVER)).toBe(isServer);
    expect(field(word, layout.COMPRESSION_DEFLATE_BITS)).toBe(isServer ? 10 : 12);
    expect(field(word, layout.COMPRESSION_INFLATE_BITS)).toBe(isServer ? 12 : 10);
  }
});

test('options of zlib, or their defaults', () => {
  const { word: usual } = settings({}, {});
  expect(field(usual, layout.COMPRESSION_LEVEL) - 1).toBe(-1);
  expect(field(usual, layout.COMPRESSION_MEM_LEVEL)).toBe(8);
  expect(field(usual, layout.COMPRESSION_STRATEGY)).toBe(0);
  const zlibDeflateOptions = { level: 9, memLevel: 3, strategy: 4, windowBits: 9 };
  const { word } = settings({ zlibDeflateOptions }, {});
  expect(field(word, layout.COMPRESSION_LEVEL) - 1).toBe(9);
  expect(field(word, layout.COMPRESSION_MEM_LEVEL)).toBe(3);
  expect(field(word, layout.COMPRESSION_STRATEGY)).toBe(4);
  expect(field(word, layout.COMPRESSION_DEFLATE_BITS)).toBe(15);
});

test.each([
  [undefined, 1024],
  [0, 0],
  [10.5, 11],
  [-1, 0],
  [Infinity, 0xffffffff],
  [NaN, 0xffffffff],
  ['7', 7],
  [null, 0]
])('a threshold of %p is %p bytes', (threshold, bytes) => {
  expect(settings({ threshold }, {}).threshold).toBe(bytes);
});

test.each([
  [{}, true],
  [{ zlibDeflateOptions: { level: 1, memLevel: 9, strategy: 2, chunkSize: 4096 } }, true],
  [{ zlibInflateOptions: { chunkSize: 10 * 1024, windowBits: 10 } }, true],
  [{ zlibDeflateOptions: { level: undefined } }, true],
  [{ zlibDeflateOptions: { level: 10 } }, false],
  [{ zlibDeflateOptions: { level: '1' } }, false],
  [{ zlibDeflateOptions: { dictionary: Buffer.alloc(1) } }, false],
  [{ zlibInflateOptions: { dictionary: Buffer.alloc(1) } }, false],
  [{ zlibInflateOptions: { flush: 0 } }, false]
])('whether a worker can do %p: %p', (options, suits) => {
  expect(suitsWorkers(options)).toBe(suits);
});
