// What binary messages look like, by `binaryType`. Runs on: js.

'use strict';

const types = ['nodebuffer', 'arraybuffer', 'fragments'];
if (typeof Blob !== 'undefined') types.push('blob');

function toArrayBuffer({ buffer, byteOffset, byteLength }) {
  if (byteLength === buffer.byteLength) return buffer;
  return buffer.slice(byteOffset, byteOffset + byteLength);
}

const copyOf = (bytes) => Buffer.from(toArrayBuffer(bytes));

// Each with memory of its own: who transfers one does not lose the others.
function split(data, boundaries) {
  if (data.length === 0) return [];
  if (boundaries === null) return [data];
  let start = 0;
  return Array.from({ length: boundaries.length / 4 }, (_, index) =>
    copyOf(data.subarray(start, (start += boundaries.readUInt32LE(index * 4))))
  );
}

/**
 * @param {Buffer} data A binary message
 * @param {?Buffer} boundaries The payload of its FRAGMENTS event, null for a single frame
 * @param {String} type
 * @return {(Buffer|ArrayBuffer|Buffer[]|Blob)}
 */
function toBinaryType(data, boundaries, type) {
  if (type === 'arraybuffer') return toArrayBuffer(data);
  if (type === 'fragments') return split(data, boundaries);
  if (type === 'blob') return new Blob([data]);
  return data;
}

module.exports = { BINARY_TYPES: types, toBinaryType };
