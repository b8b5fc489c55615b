// What binary messages look like, by `binaryType`. Runs on: js.

'use strict';

const types = ['nodebuffer', 'arraybuffer', 'fragments'];
if (typeof Blob !== 'undefined') types.push('blob');

function toArrayBuffer({ buffer, byteOffset, byteLength }) {
  if (byteLength === buffer.byteLength) return buffer;
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

function split(data, boundaries) {
  if (data.length === 0) return [];
  if (boundaries === null) return [data];
  let start = 0;
  return boundaries.map((length) => data.subarray(start, (start += length)));
}

/**
 * @param {Buffer} data A binary message
 * @param {?Number[]} boundaries Lengths of its non-empty frames, null for a single one
 * @param {String} type
 * @return {(Buffer|ArrayBuffer|Buffer[]|Blob)}
 */
function toBinaryType(data, boundaries, type) {
  if (type === 'arraybuffer') return toArrayBuffer(data);
  if (type === 'fragments') return split(data, boundaries);
  if (type === 'blob') return new Blob([data]);
  return data;
}

/**
 * Reads the payload of a FRAGMENTS event.
 *
 * @param {Buffer} bytes
 * @return {Number[]}
 */
function readBoundaries(bytes) {
  return Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4));
}

module.exports = { BINARY_TYPES: types, readBoundaries, toBinaryType };
