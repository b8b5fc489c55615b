// Builds the errors that cross the bridge as numbers.
//
// Owns: protocol violations (one table, exported by Rust) and system errors in
// Node's spelling. Runs on: js.

'use strict';

const os = require('os');
const { getSystemErrorMap } = require('util');

const binding = require('./binding');
const { kStatusCode } = require('./constants');
const { CANCELS_WRITES } = require('./stream-rules');

const { ECANCELED } = os.constants.errno;

const violations = new Map(binding.violations().map((entry) => [entry.id, entry]));

/**
 * The error for something that the peer did wrong.
 *
 * @param {Number} id The number that the record carried
 * @param {Number} argument The number that the text names
 * @return {(Error|RangeError)} With ws's `code`, and the close code under a symbol
 */
function violationError(id, argument) {
  const { code, text, closeCode, errno, isRangeError } = violations.get(id);
  const Class = isRangeError ? RangeError : Error;
  const error = new Class(text.replace('%d', argument));
  if (errno !== undefined && errno !== null) error.errno = errno;
  error.code = code;
  error[kStatusCode] = closeCode;
  return error;
}

/**
 * The same for what JavaScript finds itself.
 *
 * @param {String} code ws's `error.code`
 * @return {(Error|RangeError)}
 */
function errorOfCode(code) {
  for (const [id, violation] of violations) {
    if (violation.code === code) return violationError(id, 0);
  }
  throw new TypeError(`No violation has the code ${code}`);
}

/**
 * The error for a header that does not follow its grammar.
 *
 * @param {Number} index Where it leaves it
 * @param {String} header
 * @return {SyntaxError}
 */
function grammarError(index, header) {
  if (index >= header.length) return new SyntaxError('Unexpected end of input');
  return new SyntaxError(`Unexpected character at index ${index}`);
}

/**
 * The error that Node reports when a server cannot listen.
 *
 * @param {Number} errno The operating system's positive error number
 * @param {String} address
 * @param {Number} port
 * @return {Error}
 */
function listenError(errno, address, port) {
  const [code, text] = getSystemErrorMap().get(-errno) || [`E${errno}`, 'unknown error'];
  const error = new Error(`listen ${code}: ${text} ${address}:${port}`);
  return Object.assign(error, { code, errno: -errno, syscall: 'listen', address, port });
}

/**
 * The error that Node reports when a call to the system fails.
 *
 * @param {Number} errno The operating system's positive error number
 * @param {String} syscall
 * @return {Error}
 */
function systemError(errno, syscall) {
  const [code] = getSystemErrorMap().get(-errno) || [`E${errno}`];
  return Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall });
}

/**
 * The error for a message that was dropped because its peer reads too slowly.
 *
 * @return {Error}
 */
function droppedError() {
  const error = new Error('The message was dropped: its peer reads too slowly');
  error.code = 'FERROWS_ERR_DROPPED';
  return error;
}

/**
 * The error for a peer that sent more in a second than it may.
 *
 * @param {Number} which 1 for messages, 2 for bytes
 * @return {RangeError}
 */
function limitError(which) {
  const error = new RangeError(
    `Inbound limit exceeded: too many ${which === 1 ? 'messages' : 'bytes'}`
  );
  error.code = 'FERROWS_ERR_INBOUND_LIMIT';
  return error;
}

/**
 * The error for bytes that will never be written.
 *
 * @return {Error}
 */
function destroyedError() {
  const error = new Error('Cannot call write after a stream was destroyed');
  error.code = 'ERR_STREAM_DESTROYED';
  return error;
}

/**
 * The errors for bytes that were queued when their connection ended.
 *
 * @param {?Error} cause What ended it, null if it was closed on purpose
 * @return {{first: Error, others: Error}} `first`: of what was being written
 */
function cutOffErrors(cause) {
  const isOfWrite = cause !== null && cause.syscall === 'write';
  const first = CANCELS_WRITES && !isOfWrite ? systemError(ECANCELED, 'write') : null;
  const others = cause || first || destroyedError();
  return { first: first || others, others };
}

const CLOSED_WHILE_COMPRESSING = 'The socket was closed while data was being compressed';

module.exports = {
  CLOSED_WHILE_COMPRESSING,
  cutOffErrors,
  destroyedError,
  droppedError,
  errorOfCode,
  grammarError,
  limitError,
  listenError,
  systemError,
  violationError
};
