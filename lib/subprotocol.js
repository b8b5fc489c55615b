// The Sec-WebSocket-Protocol header (RFC 6455, section 11.3.4). The grammar is
// Rust's. Runs on: js. Tests: __test__/unit/headers.test.js.

'use strict';

const binding = require('./binding');
const { grammarError } = require('./errors');

/**
 * Reads a list of subprotocol names.
 *
 * @param {String} header
 * @return {Set<String>} The names in their order
 * @throws {SyntaxError} On a malformed list or a repeated name
 */
function parse(header) {
  const list = binding.parseSubprotocols(header);

  const names = new Set();
  for (const name of list.names) {
    if (names.has(name)) throw new SyntaxError(`The "${name}" subprotocol is duplicated`);
    names.add(name);
  }
  if (list.fault !== undefined) throw grammarError(list.fault, header);
  return names;
}

module.exports = { parse };
