// Turns what users pass to send(), ping() and pong() into payloads. Runs on: js.

'use strict';

// PERF: the global is an accessor.
const { Buffer } = require('buffer');
const { isArrayBuffer, isUint8Array } = require('util').types;

const { isBlob } = require('./send-gate');
const { EMPTY_BUFFER } = require('./constants');
const { isValidStatusCode } = require('./validation');

const LONGEST_CONTROL = 125;

/**
 * The bytes of anything that ws accepts, without copying views.
 *
 * @param {*} data
 * @return {Buffer}
 * @throws {TypeError} ERR_INVALID_ARG_TYPE from `Buffer.from()`
 */
function toBuffer(data) {
  if (Buffer.isBuffer(data)) return data;
  if (isArrayBuffer(data)) return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.from(data);
}

/**
 * A payload for the transport: strings and Blobs stay what they are, everything else becomes
 * bytes.
 *
 * @param {*} data
 * @return {(String|Buffer|Blob)}
 * @throws {TypeError} As `toBuffer()`
 */
function toPayload(data) {
  if (typeof data === 'string' || Buffer.isBuffer(data)) return data;
  return isBlob(data) ? data : toBuffer(data);
}

/**
 * The payload of a message for several.
 *
 * @param {*} data
 * @return {(String|Buffer)}
 * @throws {TypeError} As `toBuffer()`, and on a Blob
 */
function toShared(data) {
  if (typeof data === 'string') return data;
  if (typeof data === 'number') return data.toString();
  const payload = toPayload(data || EMPTY_BUFFER);
  if (Buffer.isBuffer(payload)) return payload;
  const error = new TypeError('A Blob has to be read before it is sent to several');
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/**
 * @param {*} data
 * @return {Number} Its length in bytes
 * @throws {TypeError} As `toBuffer()`
 */
function byteLengthOf(data) {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return isBlob(data) ? data.size : toBuffer(data).byteLength;
}

/**
 * The payload of a ping or a pong.
 *
 * @param {*} data
 * @return {(String|Buffer|Blob)}
 * @throws {TypeError} As `toBuffer()`
 * @throws {RangeError} If it is longer than a control frame may be (RFC 6455, section 5.5)
 */
function checkControlPayload(data) {
  const payload = toPayload(data || EMPTY_BUFFER);
  if (byteLengthOf(payload) > LONGEST_CONTROL) {
    throw new RangeError(`The data size must not be greater than ${LONGEST_CONTROL} bytes`);
  }
  return payload;
}

/**
 * The payload of a close frame.
 *
 * @param {Number} [code]
 * @param {(String|Uint8Array)} [reason]
 * @return {Buffer}
 * @throws {TypeError|RangeError} On a code or reason that must not be sent
 */
function closePayload(code, reason) {
  if (code === undefined) return EMPTY_BUFFER;
  if (typeof code !== 'number' || !isValidStatusCode(code)) {
    throw new TypeError('First argument must be a valid error code number');
  }
  let bytes = EMPTY_BUFFER;
  if (reason !== undefined && reason !== null && reason.length) {
    // Throws on what is neither text nor bytes, as with ws.
    const length = Buffer.byteLength(reason);
    if (length > LONGEST_CONTROL - 2) {
      throw new RangeError('The message must not be greater than 123 bytes');
    }
    if (typeof reason === 'string') {
      bytes = Buffer.from(reason);
    } else if (isUint8Array(reason)) {
      bytes = toBuffer(reason);
    } else {
      throw new TypeError('Second argument must be a string or a Uint8Array');
    }
  }
  const payload = Buffer.allocUnsafe(2 + bytes.length);
  payload.writeUInt16BE(code, 0);
  bytes.copy(payload, 2);
  return payload;
}

module.exports = { byteLengthOf, checkControlPayload, closePayload, toBuffer, toPayload, toShared };
