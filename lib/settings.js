// The decoder settings of a WebSocket, as the words that Rust reads. Runs on: js.

'use strict';

const { layout } = require('./bridge');

const {
  SETTINGS_CLIENT,
  SETTINGS_FLAGS,
  SETTINGS_MAX_BUFFERED_CHUNKS,
  SETTINGS_MAX_FRAGMENTS,
  SETTINGS_MAX_PAYLOAD,
  SETTINGS_SKIP_UTF8_VALIDATION,
  SETTINGS_WORDS
} = layout;

/**
 * Limits are coerced to 32 bits as ws does it; what is not positive is no limit.
 *
 * @param {Object} options
 * @param {Boolean} isServer
 * @return {Uint32Array}
 */
function settingsFor(options, isServer) {
  const words = new Uint32Array(SETTINGS_WORDS);
  words[SETTINGS_MAX_PAYLOAD] = Math.max(options.maxPayload | 0, 0);
  words[SETTINGS_MAX_FRAGMENTS] = Math.max(options.maxFragments | 0, 0);
  words[SETTINGS_MAX_BUFFERED_CHUNKS] = Math.max(options.maxBufferedChunks | 0, 0);
  if (!isServer) words[SETTINGS_FLAGS] |= SETTINGS_CLIENT;
  if (options.skipUTF8Validation) words[SETTINGS_FLAGS] |= SETTINGS_SKIP_UTF8_VALIDATION;
  return words;
}

module.exports = { settingsFor };
