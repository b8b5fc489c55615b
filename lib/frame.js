// Builds frames in JavaScript, for sockets that stay with Node (RFC 6455, section 5.2).
//
// Owns: headers, masking keys. The masking itself is Rust's. Runs on: js.

'use strict';

const { Buffer } = require('buffer');
const { randomFillSync } = require('crypto');

const binding = require('./binding');

const KEY_POOL_BYTES = 8192;
const LONGEST_SHORT = 125;
const LONGEST_MEDIUM = 65535;
// Unmasked payloads up to this length are copied behind their header on request.
const JOINED = 1024;
// Below this length a loop is cheaper than a call into Rust.
const NATIVE_MASK_MINIMUM = 64;
// Up to this length a loop is cheaper than `set()`.
const LOOP_LIMIT = 64;

const keys = Buffer.alloc(KEY_POOL_BYTES);
let nextKey = KEY_POOL_BYTES;

function randomKey(key) {
  if (nextKey === KEY_POOL_BYTES) {
    randomFillSync(keys);
    nextKey = 0;
  }
  keys.copy(key, 0, nextKey, nextKey + 4);
  nextKey += 4;
}

function applyMask(data, key) {
  if (data.length >= NATIVE_MASK_MINIMUM) {
    binding.mask(data, key);
  } else {
    for (let i = 0; i < data.length; i++) data[i] ^= key[i & 3];
  }
}

/**
 * Builds a frame. Unmasked data is passed through as it is.
 *
 * @param {(String|Buffer)} data
 * @param {Object} options
 * @param {Boolean} [options.fin] Whether this is the last fragment
 * @param {Boolean} [options.join] Whether a short frame is to be one Buffer
 * @param {Function} [options.generateMask] Fills the buffer that it is given with a key
 * @param {Boolean} [options.mask]
 * @param {Buffer} [options.maskBuffer] Where the key is generated, 4 bytes
 * @param {Number} options.opcode
 * @param {Boolean} [options.readOnly] Whether `data` must not be masked in place
 * @param {Boolean} [options.rsv1]
 * @param {Number} [byteLength] The length of a string in bytes; without it strings are encoded
 * @return {Array<Buffer|String>} The header, or the whole frame, and perhaps the payload
 */
function buildFrame(data, options, byteLength) {
  let key = null;
  if (options.mask) {
    key = options.maskBuffer || Buffer.alloc(4);
    if (options.generateMask) options.generateMask(key);
    else randomKey(key);
  }
  const blank = key !== null && (key[0] | key[1] | key[2] | key[3]) === 0;
  const masks = key !== null && !blank;

  let length = byteLength;
  if (typeof data !== 'string') {
    length = data.length;
  } else if (masks || length === undefined) {
    data = Buffer.from(data);
    length = data.length;
  }

  const extended = length > LONGEST_MEDIUM ? 8 : length > LONGEST_SHORT ? 2 : 0;
  const start = 2 + extended + (key === null ? 0 : 4);
  const merge = masks ? options.readOnly : options.join && length <= JOINED;
  const frame = Buffer.allocUnsafe(merge ? start + length : start);

  frame[0] = options.opcode | (options.fin ? 0x80 : 0) | (options.rsv1 ? 0x40 : 0);
  frame[1] = extended === 8 ? 127 : extended === 2 ? 126 : length;
  if (extended === 2) {
    frame.writeUInt16BE(length, 2);
  } else if (extended === 8) {
    frame[2] = frame[3] = 0;
    frame.writeUIntBE(length, 4, 6);
  }
  if (key !== null) {
    frame[1] |= 0x80;
    frame.set(key, start - 4);
  }
  if (merge) {
    if (typeof data === 'string') frame.write(data, start);
    else frame.set(data, start);
    if (masks) applyMask(frame.subarray(start), key);
    return [frame];
  }
  if (masks) applyMask(data, key);
  return length === 0 ? [frame] : [frame, data];
}

/**
 * Builds a whole frame of a payload that is short and not masked.
 *
 * @param {Number} first FIN, RSV bits and opcode
 * @param {(String|Buffer)} data At most 125 bytes
 * @param {Number} length In bytes
 * @return {Buffer}
 */
function buildShort(first, data, length) {
  const frame = Buffer.allocUnsafe(2 + length);
  frame[0] = first;
  frame[1] = length;
  if (typeof data === 'string') frame.utf8Write(data, 2, length);
  else if (length > LOOP_LIMIT) frame.set(data, 2);
  else for (let i = 0; i < length; i++) frame[2 + i] = data[i];
  return frame;
}

module.exports = { LONGEST_SHORT, buildFrame, buildShort };
