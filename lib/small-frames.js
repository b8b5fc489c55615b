// Reads small frames in JavaScript: cheaper there than a call into Rust.
//
// Owns: recognising a whole, flawless small message, ping or pong between two
// messages, and its memory. Whatever else there is, from the first such byte on, is
// the decoder's, which knows all the rules. Used by receiver.js. Runs on: js.
// Tests: __test__/stream/small-frames.test.js (beside the decoder).

'use strict';

const { Buffer } = require('buffer');

const binding = require('./binding');
const { EMPTY_BUFFER, OPCODES, emptyBuffer } = require('./constants');

const { TEXT, BINARY, PING, PONG } = OPCODES;

const FIN = 0x80;
const MASKED = 0x80;
const LONGEST_SMALL = 125;
// V8 keeps typed arrays of up to so many bytes in its heap: no allocation elsewhere.
const ON_HEAP = 64;

const FastBuffer = Buffer[Symbol.species];

/** What `readSmall()` found last. */
const small = { opcode: 0, payload: EMPTY_BUFFER, end: 0 };

/**
 * Reads the frame that begins at `at` into `small`. Of a payload's memory nobody else has any,
 * unless it is the last one in the chunk: that may lie in the chunk itself.
 *
 * @param {Buffer} chunk Not changed if nothing is found
 * @param {Number} at
 * @param {Boolean} isServer Whether frames have to be masked
 * @param {Number} limit Of a message, 0 is none
 * @param {Boolean} checksText
 * @return {Boolean} Whether there is one
 */
function readSmall(chunk, at, isServer, limit, checksText) {
  const { length: available } = chunk;
  if (available - at < 2) return false;
  const opcode = chunk[at] ^ FIN;
  const length = isServer ? chunk[at + 1] ^ MASKED : chunk[at + 1];
  const start = at + (isServer ? 6 : 2);
  const end = start + length;
  if (length > LONGEST_SMALL || end > available) return false;
  if (opcode === TEXT || opcode === BINARY) {
    if (limit > 0 && length > limit) return false;
  } else if (opcode !== PING && opcode !== PONG) {
    return false;
  }

  let payload;
  if (length === 0) {
    payload = emptyBuffer();
  } else {
    payload =
      length > ON_HEAP && end === available
        ? new FastBuffer(chunk.buffer, chunk.byteOffset + start, length)
        : new FastBuffer(length);
    const bits = isServer
      ? unmask(chunk, start, length, payload)
      : copy(chunk, start, length, payload);
    if (bits > 0x7f && opcode === TEXT && checksText && !binding.isUtf8(payload)) {
      // It may be the chunk that was unmasked.
      if (isServer && payload.buffer === chunk.buffer) unmask(chunk, start, length, payload);
      return false;
    }
  }
  small.opcode = opcode;
  small.payload = payload;
  small.end = end;
  return true;
}

/** Returns all bits that are set in one of the bytes. */
function unmask(chunk, start, length, payload) {
  const key = start - 4;
  let bits = 0;
  for (let i = 0; i < length; i++) {
    const byte = chunk[start + i] ^ chunk[key + (i & 3)];
    payload[i] = byte;
    bits |= byte;
  }
  return bits;
}

function copy(chunk, start, length, payload) {
  let bits = 0;
  for (let i = 0; i < length; i++) {
    const byte = chunk[start + i];
    payload[i] = byte;
    bits |= byte;
  }
  return bits;
}

module.exports = { readSmall, small };
