// What a topic may be called. Runs on: js. Tests: __test__/api/topics.test.js.

'use strict';

const { Buffer } = require('buffer');

const LONGEST_BYTES = 65536;
/** What engines take, in whatever way they spell it. */
const LONGEST_CARRIED = 1024;
// Matches half of a character only: whole ones are one code point here.
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * @param {*} name
 * @param {String} [of] What has it
 * @param {Number} [longest] In bytes of UTF-8
 * @throws {TypeError} If it is not a string, is empty or has half a character in it
 * @throws {RangeError} If it is longer than that
 */
function checkName(name, of = 'topic', longest = LONGEST_BYTES) {
  if (typeof name !== 'string') {
    throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The ${of} must be a string`);
  }
  if (name === '') {
    throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The ${of} must not be empty`);
  }
  if (name.length * 3 > longest && Buffer.byteLength(name) > longest) {
    const text = `The ${of} must not be longer than ${longest} bytes`;
    throw coded(RangeError, 'ERR_OUT_OF_RANGE', text);
  }
  if (LONE_SURROGATE.test(name)) {
    throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', `The ${of} must be well-formed Unicode`);
  }
}

/**
 * @param {Function} Class Of the error
 * @param {String} code
 * @param {String} message
 * @return {Error}
 */
function coded(Class, code, message) {
  return Object.assign(new Class(message), { code });
}

module.exports = { LONGEST_BYTES, LONGEST_CARRIED, checkName, coded };
