// The negotiation of permessage-deflate (RFC 7692, section 7).
//
// Owns: what is offered, what is accepted, the checks on parameters. The
// compression itself is not part of this version, so neither the server nor
// the client negotiates it yet. Runs on: js. Tests: __test__/unit.

'use strict';

const FLAGS = new Set(['server_no_context_takeover', 'client_no_context_takeover']);
const WINDOW_BITS = new Set(['server_max_window_bits', 'client_max_window_bits']);
const DEFAULT_THRESHOLD = 1024;
const [FEWEST_BITS, MOST_BITS] = [8, 15];

class PerMessageDeflate {
  /**
   * @param {Object} [options]
   * @param {(Boolean|Number)} [options.clientMaxWindowBits]
   * @param {Boolean} [options.clientNoContextTakeover]
   * @param {Boolean} [options.isServer]
   * @param {Number} [options.maxPayload]
   * @param {(Boolean|Number)} [options.serverMaxWindowBits]
   * @param {Boolean} [options.serverNoContextTakeover]
   * @param {Number} [options.threshold] Bytes below which messages are not compressed if the
   *     context is not taken over
   */
  constructor(options) {
    this._options = options || {};
    const { threshold } = this._options;
    this._isServer = Boolean(this._options.isServer);
    this._maxPayload = this._options.maxPayload | 0;
    this._threshold = threshold !== undefined ? threshold : DEFAULT_THRESHOLD;
    /** The parameters agreed on, null before. */
    this.params = null;
  }

  /** @type {String} */
  static get extensionName() {
    return 'permessage-deflate';
  }

  /**
   * The parameters that a client offers.
   *
   * @return {Object}
   */
  offer() {
    const {
      clientMaxWindowBits,
      clientNoContextTakeover,
      serverMaxWindowBits,
      serverNoContextTakeover
    } = this._options;
    const params = {};
    if (serverNoContextTakeover) params.server_no_context_takeover = true;
    if (clientNoContextTakeover) params.client_no_context_takeover = true;
    if (serverMaxWindowBits) params.server_max_window_bits = serverMaxWindowBits;
    if (clientMaxWindowBits) params.client_max_window_bits = clientMaxWindowBits;
    else if (clientMaxWindowBits == null) params.client_max_window_bits = true;
    return params;
  }

  /**
   * Accepts one of a client's offers, or a server's answer.
   *
   * @param {Object[]} configurations As `extension.parse()` returns them
   * @return {Object} The parameters agreed on
   * @throws {Error|TypeError} If none can be accepted or one is invalid
   */
  accept(configurations) {
    const normalized = configurations.map((params) => normalize(params, this._isServer));
    this.params = this._isServer
      ? acceptOffer(normalized, this._options)
      : acceptAnswer(normalized[0], this._options);
    return this.params;
  }
}

function acceptOffer(offers, options) {
  const { clientMaxWindowBits, serverMaxWindowBits } = options;
  const accepted = offers.find((offer) => isAcceptable(offer, options));
  if (accepted === undefined) throw new Error('None of the extension offers can be accepted');

  if (options.serverNoContextTakeover) accepted.server_no_context_takeover = true;
  if (options.clientNoContextTakeover) accepted.client_no_context_takeover = true;
  if (typeof serverMaxWindowBits === 'number') {
    accepted.server_max_window_bits = serverMaxWindowBits;
  }
  if (typeof clientMaxWindowBits === 'number') {
    accepted.client_max_window_bits = clientMaxWindowBits;
  } else if (accepted.client_max_window_bits === true || clientMaxWindowBits === false) {
    delete accepted.client_max_window_bits;
  }
  return accepted;
}

function isAcceptable(offer, options) {
  const { clientMaxWindowBits, serverMaxWindowBits, serverNoContextTakeover } = options;
  const { client_max_window_bits: clientBits, server_max_window_bits: serverBits } = offer;

  if (serverNoContextTakeover === false && offer.server_no_context_takeover) return false;
  if (serverBits) {
    if (serverMaxWindowBits === false) return false;
    if (typeof serverMaxWindowBits === 'number' && serverMaxWindowBits > serverBits) return false;
  }
  if (typeof clientMaxWindowBits === 'number') {
    if (!clientBits) return false;
    if (typeof clientBits === 'number' && clientMaxWindowBits > clientBits) return false;
  }
  return true;
}

function acceptAnswer(answer, { clientMaxWindowBits, clientNoContextTakeover }) {
  const { client_max_window_bits: bits } = answer;
  if (clientNoContextTakeover === false && answer.client_no_context_takeover) {
    throw new Error('Unexpected parameter "client_no_context_takeover"');
  }
  if (!bits) {
    if (typeof clientMaxWindowBits === 'number') {
      answer.client_max_window_bits = clientMaxWindowBits;
    }
  } else if (
    clientMaxWindowBits === false ||
    (typeof clientMaxWindowBits === 'number' && bits > clientMaxWindowBits)
  ) {
    throw new Error('Unexpected or invalid parameter "client_max_window_bits"');
  }
  return answer;
}

/** Checks parameters and turns each into one value, in place. */
function normalize(params, isServer) {
  for (const [name, values] of Object.entries(params)) {
    if (values.length > 1) throw new Error(`Parameter "${name}" must have only a single value`);
    params[name] = normalizeValue(name, values[0], isServer);
  }
  return params;
}

function normalizeValue(name, value, isServer) {
  const invalid = () => new TypeError(`Invalid value for parameter "${name}": ${value}`);
  if (FLAGS.has(name)) {
    if (value !== true) throw invalid();
    return value;
  }
  if (!WINDOW_BITS.has(name)) throw new Error(`Unknown parameter "${name}"`);
  // Only a client may leave the number of its own bits open.
  if (value === true && name === 'client_max_window_bits' && isServer) return value;
  const bits = value === true ? NaN : Number(value);
  if (!Number.isInteger(bits) || bits < FEWEST_BITS || bits > MOST_BITS) throw invalid();
  return bits;
}

module.exports = PerMessageDeflate;
