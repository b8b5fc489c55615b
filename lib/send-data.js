// Turns what users pass to send(), ping() and pong() into payloads. Runs on: js.

'use strict';

// PERF: the global is an accessor.
const { Buffer } = require('buffer');

/**
 * The bytes of anything that ws accepts, without copying views.
 *
 * @param {*} data
 * @return {Buffer}
 * @throws {TypeError} ERR_INVALID_ARG_TYPE from `Buffer.from()`
 */
function toBuffer(data) {
  if (Buffer.isBuffer(data)) return data;
  if (data instanceof ArrayBuffer) return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(data);
}

/**
 * A payload for the transport: strings stay strings, everything else becomes bytes.
 *
 * @param {*} data
 * @return {(String|Buffer)}
 * @throws {TypeError} As `toBuffer()`
 */
function toPayload(data) {
  return typeof data === 'string' ? data : toBuffer(data);
}

/**
 * @param {*} data
 * @return {Number} Its length in bytes
 * @throws {TypeError} As `toBuffer()`
 */
function byteLengthOf(data) {
  return typeof data === 'string' ? Buffer.byteLength(data) : toBuffer(data).byteLength;
}

module.exports = { byteLengthOf, toBuffer, toPayload };
