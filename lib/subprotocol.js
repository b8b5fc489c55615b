// The Sec-WebSocket-Protocol header (RFC 6455, section 11.3.4). Runs on: js.

'use strict';

const { isTokenCode } = require('./validation');

const SPACE = 0x20;
const TAB = 0x09;
const COMMA = 0x2c;

/**
 * Reads a list of subprotocol names.
 *
 * @param {String} header
 * @return {Set<String>} The names in their order
 * @throws {SyntaxError} On a malformed list or a repeated name
 */
function parse(header) {
  const names = new Set();
  let start = -1;
  let end = -1;

  const add = (name) => {
    if (names.has(name)) throw new SyntaxError(`The "${name}" subprotocol is duplicated`);
    names.add(name);
  };

  for (let i = 0; i < header.length; i++) {
    const code = header.charCodeAt(i);
    const inToken = start !== -1 && end === -1;

    if (isTokenCode(code) && end === -1) {
      if (!inToken) start = i;
    } else if (i !== 0 && (code === SPACE || code === TAB)) {
      // COMPAT(ws 8.23): no blank may stand at the very beginning.
      if (inToken) end = i;
    } else if (code === COMMA && start !== -1) {
      add(header.slice(start, end === -1 ? i : end));
      start = end = -1;
    } else {
      throw new SyntaxError(`Unexpected character at index ${i}`);
    }
  }

  if (start === -1 || end !== -1) throw new SyntaxError('Unexpected end of input');
  add(header.slice(start));
  return names;
}

module.exports = { parse };
