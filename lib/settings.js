// The settings of a connection, as the words that Rust reads. Runs on: js.

'use strict';

const { layout } = require('./bridge');
const { compressionSettings } = require('./compression');
const { PERMESSAGE_DEFLATE, kLimits } = require('./constants');
const { policies } = require('./policies');

const {
  COMPRESSION_PASS_ON,
  SETTINGS_ACCOUNT,
  SETTINGS_CLIENT,
  SETTINGS_COMPRESSION,
  SETTINGS_FLAGS,
  SETTINGS_HEARTBEAT_INTERVAL,
  SETTINGS_HEARTBEAT_TIMEOUT,
  SETTINGS_INBOUND_BYTES,
  SETTINGS_INBOUND_CLOSES,
  SETTINGS_INBOUND_MESSAGES,
  SETTINGS_MAX_BACKPRESSURE,
  SETTINGS_MAX_BUFFERED_CHUNKS,
  SETTINGS_MAX_FRAGMENTS,
  SETTINGS_MAX_PAYLOAD,
  SETTINGS_POLICY_SHIFT,
  SETTINGS_SKIP_UTF8_VALIDATION,
  SETTINGS_THRESHOLD,
  SETTINGS_WORDS
} = layout;

/**
 * The settings for a connection on a worker. Limits are coerced to 32 bits as ws does it; what is
 * not positive is no limit.
 *
 * @param {Object} options
 * @param {Boolean} isServer
 * @param {Object} [extensions] By name
 * @return {Uint32Array}
 */
function settingsFor(options, isServer, extensions = {}) {
  const words = decoderSettings(options, isServer);
  const deflate = extensions[PERMESSAGE_DEFLATE];
  if (deflate !== undefined) {
    const { threshold, word } = compressionSettings(deflate, isServer);
    words[SETTINGS_COMPRESSION] = word;
    words[SETTINGS_THRESHOLD] = threshold;
  }
  if (options[kLimits] !== undefined) addLimits(words, options[kLimits]);
  return words;
}

/**
 * The settings for a decoder on this thread, which leaves inflating to others.
 *
 * @param {Object} options
 * @param {Boolean} isServer
 * @param {Object} extensions By name
 * @return {Uint32Array}
 */
function codecSettings(options, isServer, extensions) {
  const words = decoderSettings(options, isServer);
  if (extensions[PERMESSAGE_DEFLATE] !== undefined) {
    words[SETTINGS_COMPRESSION] = COMPRESSION_PASS_ON;
  }
  return words;
}

function decoderSettings(options, isServer) {
  const words = new Uint32Array(SETTINGS_WORDS);
  words[SETTINGS_MAX_PAYLOAD] = Math.max(options.maxPayload | 0, 0);
  words[SETTINGS_MAX_FRAGMENTS] = Math.max(options.maxFragments | 0, 0);
  words[SETTINGS_MAX_BUFFERED_CHUNKS] = Math.max(options.maxBufferedChunks | 0, 0);
  if (!isServer) words[SETTINGS_FLAGS] |= SETTINGS_CLIENT;
  if (options.skipUTF8Validation) words[SETTINGS_FLAGS] |= SETTINGS_SKIP_UTF8_VALIDATION;
  return words;
}

/** What a server wants of its connections beyond what ws knows. */
function addLimits(words, { backpressure, counts, heartbeat, inboundLimit }) {
  words[SETTINGS_ACCOUNT] = counts.account;
  if (backpressure !== null) {
    words[SETTINGS_MAX_BACKPRESSURE] = backpressure.limit;
    words[SETTINGS_FLAGS] |= policies[backpressure.policy] << SETTINGS_POLICY_SHIFT;
  }
  if (heartbeat !== null) {
    words[SETTINGS_HEARTBEAT_INTERVAL] = heartbeat.interval;
    words[SETTINGS_HEARTBEAT_TIMEOUT] = heartbeat.timeout;
  }
  if (inboundLimit !== null) {
    words[SETTINGS_INBOUND_MESSAGES] = inboundLimit.messages;
    words[SETTINGS_INBOUND_BYTES] = inboundLimit.bytes;
    if (inboundLimit.action === 'close') words[SETTINGS_FLAGS] |= SETTINGS_INBOUND_CLOSES;
  }
}

/**
 * What of the options of a server or a client concerns a connection: what `setSocket()` is given.
 *
 * @param {Object} options
 * @return {Object}
 */
function socketOptions(options) {
  return {
    allowSynchronousEvents: options.allowSynchronousEvents,
    generateMask: options.generateMask,
    maxBufferedChunks: options.maxBufferedChunks,
    maxFragments: options.maxFragments,
    maxPayload: options.maxPayload,
    skipUTF8Validation: options.skipUTF8Validation
  };
}

module.exports = { codecSettings, settingsFor, socketOptions };
