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

module.exports = { isValidStatusCode };
