// Checks of options that ws does not know: what is wrong throws at once, with a text that says
// what would be right. Runs on: js. Tests: __test__/operations/options.test.js.

'use strict';

const { inspect } = require('util');

function failed(Class, code, message) {
  return Object.assign(new Class(message), { code });
}

/** How a value is shown in an error. */
function shown(value) {
  return inspect(value, { breakLength: Infinity, depth: 0 });
}

/**
 * @param {String} name
 * @param {*} value
 * @param {Number} least
 * @param {Number} most
 * @return {Number} The value
 * @throws {TypeError|RangeError} Unless it is a whole number in between
 */
function checkInteger(name, value, least, most) {
  if (typeof value !== 'number') {
    const text = `The "${name}" option must be a number. Received ${shown(value)}`;
    throw failed(TypeError, 'ERR_INVALID_ARG_TYPE', text);
  }
  if (!Number.isInteger(value) || value < least || value > most) {
    const text = `The "${name}" option must be an integer from ${least} to ${most}. Received ${value}`;
    throw failed(RangeError, 'ERR_OUT_OF_RANGE', text);
  }
  return value;
}

/**
 * @param {String} name
 * @param {*} value
 * @param {Object} defaults All fields that it may have
 * @return {Object} A copy with defaults where a field is undefined
 * @throws {TypeError} Unless it is an object with no other fields
 */
function checkObject(name, value, defaults) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const text = `The "${name}" option must be an object. Received ${shown(value)}`;
    throw failed(TypeError, 'ERR_INVALID_ARG_TYPE', text);
  }
  const copy = { ...defaults };
  for (const [field, given] of Object.entries(value)) {
    if (!Object.prototype.hasOwnProperty.call(defaults, field)) {
      const known = Object.keys(defaults).map((each) => `"${each}"`);
      const text = `The "${name}" option has no field "${field}". It may have ${known.join(', ')}`;
      throw failed(TypeError, 'ERR_INVALID_ARG_VALUE', text);
    }
    if (given !== undefined) copy[field] = given;
  }
  return copy;
}

/**
 * @param {String} name
 * @param {*} value
 * @param {String[]} choices
 * @return {String} The value
 * @throws {TypeError} Unless it is one of them
 */
function checkChoice(name, value, choices) {
  if (choices.includes(value)) return value;
  const known = choices.map((each) => `'${each}'`).join(', ');
  const text = `The "${name}" option must be one of ${known}. Received ${shown(value)}`;
  throw failed(TypeError, 'ERR_INVALID_ARG_VALUE', text);
}

/**
 * @param {String} name
 * @param {String} text What is wrong
 * @return {TypeError}
 */
function invalidValue(name, text) {
  return failed(TypeError, 'ERR_INVALID_ARG_VALUE', `The "${name}" option ${text}`);
}

module.exports = { checkChoice, checkInteger, checkObject, invalidValue };
