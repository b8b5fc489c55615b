// Frames that came with the handshake.
//
// Owns: delivering them as early as ws does, after the handlers of 'open' and
// before the ticks that those queued; a trip to the worker and back would take
// longer. Whatever is unusual, from the first such frame on, is left to the worker.
// Used by takeover.js. Runs on: js. Tests: __test__/differential/client.test.js.

'use strict';

const buffer = require('buffer');

const binding = require('./binding');
const { layout } = require('./bridge');
const { OPCODES } = require('./constants');

const { EVENT_PING, EVENT_PONG, SETTINGS_CLIENT, SETTINGS_FLAGS, SETTINGS_MAX_PAYLOAD } = layout;
const { SETTINGS_SKIP_UTF8_VALIDATION } = layout;

const { TEXT, BINARY, PING, PONG } = OPCODES;
const FIN = 0x80;
const MASKED = 0x80;
const CONTROLS = new Map([
  [PING, EVENT_PING],
  [PONG, EVENT_PONG]
]);
const LONGEST_CONTROL = 125;

/**
 * Splits bytes into whole, unfragmented, flawless messages, pings and pongs, and the rest.
 *
 * @param {Buffer} bytes
 * @param {Uint32Array} settings
 * @return {{frames: Array<{opcode: Number, payload: Buffer}>, rest: Buffer}}
 */
function splitEarly(bytes, settings) {
  const frames = [];
  let at = 0;
  for (let next = readFrame(bytes, at, settings); next !== null;) {
    frames.push(next);
    at = next.end;
    next = readFrame(bytes, at, settings);
  }
  return { frames, rest: bytes.subarray(at) };
}

function readFrame(bytes, at, settings) {
  if (bytes.length < at + 2) return null;
  const opcode = bytes[at] ^ FIN;
  const isClient = (settings[SETTINGS_FLAGS] & SETTINGS_CLIENT) !== 0;
  const isControl = CONTROLS.has(opcode);
  if (opcode !== TEXT && opcode !== BINARY && !isControl) return null;
  if (((bytes[at + 1] & MASKED) === 0) !== isClient) return null;

  let length = bytes[at + 1] & ~MASKED;
  let start = at + 2;
  if (length === 126 && bytes.length >= start + 2) {
    length = bytes.readUInt16BE(start);
    start += 2;
  } else if (length > LONGEST_CONTROL) {
    return null;
  }
  const limit = settings[SETTINGS_MAX_PAYLOAD];
  if (isControl ? length > LONGEST_CONTROL : limit > 0 && length > limit) return null;

  const key = isClient ? null : bytes.subarray(start, start + 4);
  if (!isClient) start += 4;
  const end = start + length;
  if (bytes.length < end) return null;
  // A message owns its memory.
  const payload = Buffer.allocUnsafeSlow(length);
  bytes.copy(payload, 0, start, end);
  if (key !== null) binding.mask(payload, key);
  const checks = (settings[SETTINGS_FLAGS] & SETTINGS_SKIP_UTF8_VALIDATION) === 0;
  if (opcode === TEXT && checks && !(buffer.isUtf8 && buffer.isUtf8(payload))) return null;
  return { opcode, payload, end };
}

/** Hands frames to a transport, one of them at a time if a listener throws. */
function deliverEarly(transport, frames) {
  try {
    while (frames.length > 0) {
      const { opcode, payload } = frames.shift();
      const control = CONTROLS.get(opcode);
      if (control === undefined) transport.onEarlyMessage(payload, opcode === BINARY);
      else transport.onEarlyControl(control, payload);
    }
  } finally {
    if (frames.length > 0) process.nextTick(deliverEarly, transport, frames);
  }
}

module.exports = { deliverEarly, splitEarly };
