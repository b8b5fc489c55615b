// permessage-deflate (RFC 7692): the negotiation, and the compression of
// connections whose socket stays with Node.
//
// Owns: what is offered, what is accepted, the checks on parameters; Node's zlib
// streams, which work off this thread. Connections on a worker use the
// negotiation only. Used by the server, the client, sender.js and receiver.js;
// exported. Runs on: js. Tests: __test__/unit, __test__/stream/deflate.test.js,
// __test__/differential/compression.test.js.

'use strict';

const { Buffer } = require('buffer');
const zlib = require('zlib');

const Limiter = require('./limiter');
const { directions } = require('./compression');
const { NOOP, PERMESSAGE_DEFLATE, kStatusCode } = require('./constants');
const { errorOfCode } = require('./errors');

const FLAGS = new Set(['server_no_context_takeover', 'client_no_context_takeover']);
const WINDOW_BITS = new Set(['server_max_window_bits', 'client_max_window_bits']);
const DEFAULT_THRESHOLD = 1024;
const DEFAULT_CONCURRENCY = 10;
const [FEWEST_BITS, MOST_BITS] = [8, 15];
const INVALID_DATA = 1007;

// What a flush appends, and what the wire leaves out at the end of a message.
const TRAILER = Buffer.from([0x00, 0x00, 0xff, 0xff]);

// COMPAT(ws 8.23): one limit for the process, set by the first instance.
let limiter;

class PerMessageDeflate {
  /**
   * @param {Object} [options]
   * @param {(Boolean|Number)} [options.clientMaxWindowBits]
   * @param {Boolean} [options.clientNoContextTakeover]
   * @param {Boolean} [options.isServer]
   * @param {Number} [options.maxPayload]
   * @param {(Boolean|Number)} [options.serverMaxWindowBits]
   * @param {Boolean} [options.serverNoContextTakeover]
   * @param {Number} [options.concurrencyLimit=10] zlib operations at a time in this process; the
   *     first instance decides
   * @param {Number} [options.threshold=1024] Bytes below which messages are not compressed if the
   *     context is not taken over
   * @param {Object} [options.zlibDeflateOptions] For Node's zlib; `windowBits` is negotiated
   * @param {Object} [options.zlibInflateOptions]
   */
  constructor(options) {
    this._options = options || {};
    const { concurrencyLimit, threshold } = this._options;
    this._isServer = Boolean(this._options.isServer);
    this._maxPayload = this._options.maxPayload | 0;
    this._threshold = threshold !== undefined ? threshold : DEFAULT_THRESHOLD;
    this._deflate = null;
    this._inflate = null;
    // What the first message may refer to, if another compressor was there before.
    this._window = null;
    // What to call if a stream is closed under a running operation.
    this._abandonDeflate = null;
    this._abandonInflate = null;
    /** The parameters agreed on, null before. */
    this.params = null;

    if (limiter === undefined) {
      limiter = new Limiter(
        concurrencyLimit !== undefined ? concurrencyLimit : DEFAULT_CONCURRENCY
      );
    }
  }

  /** @param {Buffer} window The end of what another compressor has sent; empty without one */
  continueFrom(window) {
    if (window.length > 0) this._window = window;
  }

  /** @type {String} */
  static get extensionName() {
    return PERMESSAGE_DEFLATE;
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

  /**
   * Compresses the payload of a frame. One call at a time.
   *
   * @param {(Buffer|String)} data
   * @param {Boolean} fin Whether the frame ends its message
   * @param {Function} callback Called with (error, Buffer)
   */
  compress(data, fin, callback) {
    limiter.add((done) => {
      run(done, () => {
        this._compress(data, fin, (error, result) => {
          done();
          callback(error, result);
        });
      });
    });
  }

  /**
   * Decompresses the payload of a frame. One call at a time.
   *
   * @param {Buffer} data
   * @param {Boolean} fin Whether the frame ends its message
   * @param {Function} callback Called with (error, Buffer)
   */
  decompress(data, fin, callback) {
    limiter.add((done) => {
      this._abandonInflate = done;
      run(done, () => {
        this._decompress(data, fin, (error, result) => {
          this._abandonInflate = null;
          done();
          callback(error, result);
        });
      });
    });
  }

  /** Lets go of the zlib streams. */
  cleanup() {
    if (this._inflate !== null) {
      const { _abandonInflate: abandon } = this;
      this._inflate.close();
      this._inflate = this._abandonInflate = null;
      // COMPAT(ws 8.23): nobody is told.
      if (abandon !== null) abandon();
    }
    if (this._deflate !== null) {
      const { _abandonDeflate: abandon } = this;
      this._deflate.close();
      this._deflate = this._abandonDeflate = null;
      if (abandon !== null) {
        abandon(new Error('The deflate stream was closed while data was being processed'));
      }
    }
  }

  _compress(data, fin, callback) {
    const { takeover, windowBits } = directions(this.params, this._isServer).deflate;
    if (this._deflate === null) {
      const options = { ...this._options.zlibDeflateOptions, windowBits };
      if (this._window !== null) options.dictionary = this._window;
      this._deflate = zlib.createDeflateRaw(options);
      this._deflate.on('error', NOOP);
    }
    const stream = this._deflate;
    const output = collect(stream, Infinity);

    this._abandonDeflate = callback;
    stream.write(data);
    stream.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      if (stream !== this._deflate) return;
      this._abandonDeflate = null;
      const result = output.take();
      if (fin && !takeover) stream.reset();
      callback(null, fin ? result.subarray(0, result.length - TRAILER.length) : result);
    });
  }

  _decompress(data, fin, callback) {
    const { takeover, windowBits } = directions(this.params, this._isServer).inflate;
    if (this._inflate === null) {
      const options = { ...this._options.zlibInflateOptions, windowBits };
      this._inflate = zlib.createInflateRaw(options);
      this._inflate.on('error', NOOP);
    }
    const stream = this._inflate;
    const output = collect(stream, this._maxPayload > 0 ? this._maxPayload : Infinity);
    let settled = false;
    const settle = (error, result) => {
      if (settled) return;
      settled = true;
      stream.removeListener('error', fail);
      if (error !== null || stream.readableEnded) {
        // After a final block the next message begins a new stream.
        stream.close();
        if (this._inflate === stream) this._inflate = null;
      } else if (fin && !takeover) {
        stream.reset();
      }
      callback(error, result);
    };
    const fail = (error) => {
      output.take();
      error[kStatusCode] = INVALID_DATA;
      settle(error);
    };

    stream.on('error', fail);
    output.onExcess = () => {
      output.take();
      settle(errorOfCode('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'));
    };
    stream.write(data);
    if (fin) stream.write(TRAILER);
    stream.flush(() => {
      if (!settled) settle(null, output.take());
    });
  }
}

/** Runs a job of the limiter; zlib may throw, at its options for one. */
function run(done, job) {
  try {
    job();
  } catch (error) {
    done();
    throw error;
  }
}

/** Gathers what a stream puts out, up to a number of bytes. */
function collect(stream, most) {
  const chunks = [];
  let length = 0;
  const onData = (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    if (length > most) output.onExcess();
  };
  const output = {
    onExcess: null,
    take() {
      stream.removeListener('data', onData);
      return Buffer.concat(chunks, length);
    }
  };
  stream.on('data', onData);
  return output;
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
