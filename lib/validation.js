// Checks on values that come from the user. Runs on: js.

'use strict';

/**
 * Whether a close frame may carry a code (RFC 6455, section 7.4; ws's set).
 *
 * @param {*} code
 * @return {Boolean}
 */
function isValidStatusCode(code) {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
    (code >= 3000 && code <= 4999)
  );
}

/**
 * Whether a character code may stand in a token (RFC 9110, section 5.6.2).
 *
 * @param {Number} code
 * @return {Boolean}
 */
function isTokenCode(code) {
  return code < 128 && tokenCodes[code] === 1;
}

const tokenCodes = new Uint8Array(128);
const tokenCharacters =
  "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
for (const character of tokenCharacters) tokenCodes[character.charCodeAt(0)] = 1;

module.exports = { isTokenCode, isValidStatusCode };
