// The Sec-WebSocket-Extensions header (RFC 6455, section 9.1). The grammar is
// Rust's; here are the shapes. Runs on: js. Tests: __test__/unit/headers.test.js.

'use strict';

const binding = require('./binding');
const { grammarError } = require('./errors');

/**
 * Reads a list of extensions with their parameters.
 *
 * @param {String} header
 * @return {Object} Name to an array of offers, each a parameter name to an array of values
 *     (`true` for a parameter without one). All objects have a null prototype.
 * @throws {SyntaxError}
 */
function parse(header) {
  const offers = binding.parseExtensions(header);
  if (typeof offers === 'number') throw grammarError(offers, header);

  const extensions = Object.create(null);
  for (const { name, params } of offers) {
    const values = Object.create(null);
    for (const { name: param, value = true } of params) push(values, param, value);
    push(extensions, name, values);
  }
  return extensions;
}

function push(map, key, value) {
  if (map[key] === undefined) map[key] = [value];
  else map[key].push(value);
}

/**
 * Writes a list of extensions.
 *
 * @param {Object} extensions Name to an offer or an array of offers
 * @return {String}
 */
function format(extensions) {
  const list = (value) => (Array.isArray(value) ? value : [value]);
  const parts = [];

  for (const [name, offers] of Object.entries(extensions)) {
    for (const params of list(offers)) {
      const fields = [name];
      for (const [param, values] of Object.entries(params)) {
        for (const value of list(values)) {
          fields.push(value === true ? param : `${param}=${value}`);
        }
      }
      parts.push(fields.join('; '));
    }
  }
  return parts.join(', ');
}

module.exports = { format, parse };
