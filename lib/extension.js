// The Sec-WebSocket-Extensions header (RFC 6455, section 9.1). Runs on: js.
// One pass over the characters; no name can reach an object's prototype.

'use strict';

const { isTokenCode } = require('./validation');

const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const SEMICOLON = 0x3b;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * Reads a list of extensions with their parameters.
 *
 * @param {String} header
 * @return {Object} Name to an array of offers, each a parameter name to an array of values
 *     (`true` for a parameter without one). All objects have a null prototype.
 * @throws {SyntaxError}
 */
function parse(header) {
  const reader = new Reader(header);
  const extensions = Object.create(null);

  do {
    const name = reader.token([SEMICOLON, COMMA]);
    const params = Object.create(null);
    while (reader.accept(SEMICOLON)) {
      const param = reader.token([SEMICOLON, COMMA, EQUALS]);
      const value = reader.accept(EQUALS) ? reader.value() : true;
      push(params, param, value);
    }
    push(extensions, name, params);
  } while (reader.accept(COMMA));

  return extensions;
}

function push(map, key, value) {
  if (map[key] === undefined) map[key] = [value];
  else map[key].push(value);
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  code() {
    return this.text.charCodeAt(this.at);
  }

  fail() {
    if (this.at >= this.text.length) throw new SyntaxError('Unexpected end of input');
    throw new SyntaxError(`Unexpected character at index ${this.at}`);
  }

  skipSpace() {
    while (this.code() === SPACE || this.code() === TAB) this.at++;
  }

  accept(code) {
    if (this.code() !== code) return false;
    this.at++;
    return true;
  }

  // Blanks may surround a token, but not stand next to "=".
  // COMPAT(ws 8.23): nor at the very beginning.
  token(terminators, mayBeginWithSpace = this.at > 0) {
    if (mayBeginWithSpace) this.skipSpace();
    const start = this.at;
    while (isTokenCode(this.code())) this.at++;
    if (this.at === start) this.fail();
    const end = this.at;
    if (this.at < this.text.length && this.code() !== EQUALS) {
      this.skipSpace();
      if (this.at >= this.text.length) this.fail();
      if (this.code() === EQUALS) this.fail();
    }
    if (this.at < this.text.length && !terminators.includes(this.code())) this.fail();
    return this.text.slice(start, end);
  }

  value() {
    if (this.code() !== QUOTE) return this.token([SEMICOLON, COMMA], false);
    this.at++;
    let value = '';
    while (this.code() !== QUOTE) {
      if (this.code() === BACKSLASH) this.at++;
      if (!isTokenCode(this.code())) this.fail();
      value += this.text[this.at++];
    }
    if (value === '') this.fail();
    this.at++;
    const end = this.at;
    this.skipSpace();
    if (this.at >= this.text.length) {
      if (end !== this.at) this.fail();
    } else if (this.code() !== SEMICOLON && this.code() !== COMMA) {
      this.fail();
    }
    return value;
  }
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
