// The WebSocket class: what users hold, on both ends of a connection.
//
// Owns: readyState, the close handshake and its timer, argument checks, event
// emission. Talks to a transport (down: frame, end, destroy, pause, resume; up:
// the _on… methods) and knows nothing of sockets. Runs on: js.
// Tests: __test__/api, __test__/differential.

'use strict';

const { AsyncResource } = require('async_hooks');
const { Buffer } = require('buffer');
const EventEmitter = require('events');

const { mixInto } = require('./event-target');
const { rootScope } = require('./bridge');
const { BINARY_TYPES, toBinaryType } = require('./binary-type');
const {
  EMPTY_BUFFER,
  OPCODES,
  PERMESSAGE_DEFLATE,
  READY_STATES,
  kStatusCode
} = require('./constants');
const { ownCallback } = require('./pending-writes');
const { byteLengthOf, checkControlPayload, closePayload, toPayload } = require('./send-data');
const { openTransport } = require('./transports');
const client = require('./websocket-client');

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = OPCODES;

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];
const NO_OPTIONS = {};
const NO_EXTENSIONS = Object.freeze({});
const { hasOwnProperty } = Object.prototype;

class WebSocket extends EventEmitter {
  /**
   * Connects to a server, or, with a null address, makes the server's end of a connection.
   *
   * @param {?(String|URL)} address
   * @param {(String|String[])} [protocols]
   * @param {Object} [options]
   * @throws {SyntaxError} On an invalid address or subprotocol
   */
  constructor(address, protocols, options) {
    super();

    this._binaryType = BINARY_TYPES[0];
    this._bufferedAmount = 0;
    this._closeCode = 1006;
    this._closeFrameQueued = false;
    this._closeFrameReceived = false;
    this._closeFrameSent = false;
    this._closeMessage = EMPTY_BUFFER;
    this._closeTimer = null;
    this._errorEmitted = false;
    this._extensions = NO_EXTENSIONS;
    this._failed = false;
    this._fragmenting = false;
    this._paused = false;
    this._pendingPongs = 0;
    this._pongWritten = null;
    this._protocol = '';
    this._readyState = CONNECTING;
    this._transport = null;
    this._release = null;
    // The asynchronous context of what a worker reports.
    this._scope = rootScope;

    if (address !== null) {
      this._isServer = false;
      this._scope = new AsyncResource('WebSocket');
      this._redirects = 0;
      this._req = null;
      client.connect(this, address, protocols, options);
    } else {
      this._isServer = true;
      this._options = options;
      this._autoPong = options.autoPong;
      this._closeTimeout = options.closeTimeout;
    }
  }

  /**
   * How binary messages are delivered: `nodebuffer`, `arraybuffer`, `fragments` or `blob`. Other
   * values are ignored.
   *
   * @type {String}
   */
  get binaryType() {
    return this._binaryType;
  }

  set binaryType(type) {
    if (!BINARY_TYPES.includes(type) || type === this._binaryType) return;
    this._binaryType = type;
    if (this._transport !== null) this._transport.setBinaryType(type);
  }

  /**
   * Bytes that were queued and not yet handed to the kernel, frame headers included.
   *
   * @type {Number}
   */
  get bufferedAmount() {
    const queued = this._transport === null ? 0 : this._transport.bufferedAmount;
    return this._bufferedAmount + queued;
  }

  /**
   * The names of the extensions agreed on, separated by commas.
   *
   * @type {String}
   */
  get extensions() {
    return Object.keys(this._extensions).join();
  }

  /** @type {Boolean} */
  get isPaused() {
    return this._paused;
  }

  /** @type {String} */
  get protocol() {
    return this._protocol;
  }

  /** @type {Number} */
  get readyState() {
    return this._readyState;
  }

  /** @type {String} */
  get url() {
    return this._url;
  }

  /**
   * The socket: Node's own if there was one, else a stand-in. Null before the handshake is done.
   *
   * @type {?Duplex}
   */
  get _socket() {
    return this._transport === null ? null : this._transport.socket;
  }

  set _socket(value) {
    replace(this, '_socket', value);
  }

  /** What decodes, or a stand-in with its documented events. */
  get _receiver() {
    return this._transport === null ? null : this._transport.receiver;
  }

  set _receiver(value) {
    replace(this, '_receiver', value);
  }

  /** What frames and writes, or a stand-in that does so natively. */
  get _sender() {
    return this._transport === null ? null : this._transport.sender;
  }

  set _sender(value) {
    replace(this, '_sender', value);
  }

  /**
   * Puts the WebSocket on a socket whose handshake was made elsewhere.
   *
   * @param {Duplex} socket
   * @param {Buffer} head Bytes that were read already
   * @param {Object} options `allowSynchronousEvents`, `generateMask`, `maxBufferedChunks`,
   *     `maxFragments`, `maxPayload`, `skipUTF8Validation`
   */
  setSocket(socket, head, options) {
    this._open(
      openTransport(socket, head, EMPTY_BUFFER, options, this._isServer, this._extensions),
      options
    );
  }

  /**
   * Puts the WebSocket on a connection. Its handshake is done.
   *
   * @param {(NativeTransport|StreamTransport)} transport
   * @param {{allowSynchronousEvents: Boolean}} options
   */
  _open(transport, options) {
    this._transport = transport;
    transport.attach(this, options, this._scope);
    this._readyState = OPEN;
    this.emit('open');
  }

  /**
   * Starts the closing handshake (RFC 6455, section 7.1.2).
   *
   * @param {Number} [code]
   * @param {(String|Uint8Array)} [reason]
   * @throws {TypeError|RangeError} On a code or reason that must not be sent
   */
  close(code, reason) {
    if (this._readyState === CLOSED) return;
    if (this._readyState === CONNECTING) {
      client.abort(this, 'WebSocket was closed before the connection was established');
      return;
    }
    if (this._readyState === CLOSING) {
      this._endIfDone();
      return;
    }

    const payload = closePayload(code, reason);
    this._readyState = CLOSING;
    this._transport.frame(CLOSE, payload, true, !this._isServer, (error) => {
      if (!error) this._closeFrameSent = true;
    });
    this._closeFrameQueued = true;
    this._endIfDone();
    this._startCloseTimer();
  }

  /** Half-closes the socket once both close frames are under way, or ours after an error. */
  _endIfDone() {
    if (this._closeFrameQueued && (this._closeFrameReceived || this._failed)) {
      this._transport.end();
    }
  }

  _startCloseTimer() {
    if (this._closeTimer !== null) clearTimeout(this._closeTimer);
    this._closeTimer = setTimeout(destroyTransport, this._closeTimeout, this._transport);
  }

  /**
   * Closes the connection at once, without a closing handshake.
   */
  terminate() {
    if (this._readyState === CLOSED) return;
    if (this._readyState === CONNECTING) {
      client.abort(this, 'WebSocket was closed before the connection was established');
      return;
    }
    if (this._transport !== null) {
      this._readyState = CLOSING;
      this._transport.destroy();
    }
  }

  /** Stops reading from the peer. */
  pause() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    this._paused = true;
    this._transport.pause();
  }

  /** Reads again. */
  resume() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    this._paused = false;
    this._transport.resume();
  }

  /**
   * Sends a message or a fragment of one.
   *
   * @param {*} data A string (text), number, Buffer, view, ArrayBuffer or whatever `Buffer.from()`
   *     takes
   * @param {{binary: Boolean, compress: Boolean, fin: Boolean, mask: Boolean}} [options]
   * @param {Function} [callback] Called with an error, or without one when the bytes went to the
   *     kernel
   * @throws {Error} While connecting
   * @throws {TypeError} On data that cannot be sent
   */
  send(data, options, callback) {
    if (this._readyState === OPEN && options === undefined && callback === undefined) {
      // PERF: the echo and fan-out benches spend their JavaScript time here.
      if (typeof data === 'string') {
        this._frame(TEXT, data);
        return;
      }
      if (Buffer.isBuffer(data)) {
        this._frame(BINARY, data);
        return;
      }
    }
    this._send(data, options, callback);
  }

  /** Sends a whole message, or the last fragment of one, as the defaults have it. */
  _frame(opcode, data) {
    const { _extensions: extensions, _transport: transport } = this;
    const compress = extensions !== NO_EXTENSIONS && PERMESSAGE_DEFLATE in extensions;
    transport.frame(this._opcode(opcode, true), data, true, !this._isServer, undefined, compress);
  }

  _send(data, options, callback) {
    refuseWhileConnecting(this);
    if (typeof options === 'function') {
      callback = options;
      options = {};
    }
    if (typeof data === 'number') data = data.toString();
    checkCallback(callback);
    if (this._readyState !== OPEN) {
      sendAfterClose(this, data, callback);
      return;
    }

    // PERF: `{ ...defaults, ...options }` cost a tenth of the JavaScript time of an echo server.
    const given = options == null ? NO_OPTIONS : options;
    const own = (name) => hasOwnProperty.call(given, name);
    const binary = own('binary') ? given.binary : typeof data !== 'string';
    const fin = own('fin') ? given.fin : true;
    const mask = own('mask') ? given.mask : !this._isServer;
    const compress = PERMESSAGE_DEFLATE in this._extensions && (!own('compress') || given.compress);
    const payload = toPayload(data || EMPTY_BUFFER);
    const opcode = this._opcode(binary ? BINARY : TEXT, Boolean(fin));
    this._transport.frame(
      opcode,
      payload,
      Boolean(fin),
      Boolean(mask),
      callback || undefined,
      Boolean(compress)
    );
  }

  /** The opcode of the next data frame: fragments after the first one continue it. */
  _opcode(opcode, fin) {
    if (fin && !this._fragmenting) return opcode;
    const first = !this._fragmenting;
    this._fragmenting = !fin;
    return first ? opcode : CONTINUATION;
  }

  /**
   * Sends a ping.
   *
   * @param {*} [data] At most 125 bytes
   * @param {Boolean} [mask]
   * @param {Function} [callback]
   * @throws {Error} While connecting
   * @throws {RangeError} If there is too much data
   */
  ping(data, mask, callback) {
    sendControl(this, PING, data, mask, callback);
  }

  /**
   * Sends a pong.
   *
   * @param {*} [data] At most 125 bytes
   * @param {Boolean} [mask]
   * @param {Function} [callback]
   * @throws {Error} While connecting
   * @throws {RangeError} If there is too much data
   */
  pong(data, mask, callback) {
    sendControl(this, PONG, data, mask, callback);
  }

  /** Tells that the connection is over. */
  emitClose() {
    this._readyState = CLOSED;
    if (this._transport !== null && PERMESSAGE_DEFLATE in this._extensions) {
      this._extensions[PERMESSAGE_DEFLATE].cleanup();
    }
    if (this._release !== null) this._release(this);
    this.emit('close', this._closeCode, this._closeMessage);
  }

  // What follows is called by the transport.

  _onMessage(data, isBinary, boundaries) {
    if (isBinary) data = toBinaryType(data, boundaries, this._binaryType);
    this.emit('message', data, isBinary);
  }

  _onPing(data) {
    if (this._autoPong && this._readyState === OPEN) this._pongBack(data);
    this.emit('ping', data);
  }

  _pongBack(data) {
    const limit = this._options.maxPendingAutoPongs | 0;
    if (limit > 0 && this._pendingPongs >= limit) {
      this.terminate();
      return;
    }
    this._pendingPongs++;
    if (this._pongWritten === null) this._pongWritten = ownCallback(() => this._pendingPongs--);
    this.pong(data, !this._isServer, this._pongWritten);
  }

  _onPong(data) {
    this.emit('pong', data);
  }

  _onConclude(code, reason) {
    this._closeFrameReceived = true;
    this._closeMessage = unpooled(reason);
    this._closeCode = code;
    if (code === 1005) this.close();
    else this.close(code, reason);
  }

  _onViolation(error) {
    this._failed = true;
    this.close(error[kStatusCode]);
    this._emitErrorOnce(error);
  }

  _onEnd() {
    this._readyState = CLOSING;
    this._transport.end();
  }

  _onSocketError() {
    this._readyState = CLOSING;
  }

  /** What was to be sent could not be made: the connection ends. */
  _onSendError(error) {
    if (this._readyState === CLOSED) return;
    if (this._readyState === OPEN) {
      this._readyState = CLOSING;
      this._startCloseTimer();
    }
    this._transport.end();
    this._emitErrorOnce(error);
  }

  _emitErrorOnce(error) {
    if (this._errorEmitted) return;
    this._errorEmitted = true;
    this.emit('error', error);
  }

  /** The socket is closed; what it brought may still have to be delivered. */
  _onDisconnect() {
    if (this._closeTimer !== null) clearTimeout(this._closeTimer);
    this._readyState = CLOSING;
  }

  /** The socket is closed and all is delivered. */
  _onGone() {
    this.emitClose();
  }
}

/** COMPAT(ws 8.23): a plain property there. */
function replace(websocket, name, value) {
  Object.defineProperty(websocket, name, { value, configurable: true, writable: true });
}

function destroyTransport(transport) {
  transport.destroy();
}

function refuseWhileConnecting(websocket) {
  if (websocket._readyState === CONNECTING) {
    throw new Error('WebSocket is not open: readyState 0 (CONNECTING)');
  }
}

function checkCallback(callback) {
  if (callback && typeof callback !== 'function') {
    const error = new TypeError('The "callback" argument must be of type function.');
    error.code = 'ERR_INVALID_ARG_TYPE';
    throw error;
  }
}

function sendControl(websocket, opcode, data, mask, callback) {
  refuseWhileConnecting(websocket);
  if (typeof data === 'function') {
    callback = data;
    data = mask = undefined;
  } else if (typeof mask === 'function') {
    callback = mask;
    mask = undefined;
  }
  if (typeof data === 'number') data = data.toString();
  checkCallback(callback);
  if (websocket._readyState !== OPEN) {
    sendAfterClose(websocket, data, callback);
    return;
  }

  if (mask === undefined) mask = !websocket._isServer;
  const payload = checkControlPayload(data);
  websocket._transport.frame(opcode, payload, true, Boolean(mask), callback || undefined);
}

/** COMPAT(ws 8.23): what is sent after the end still counts as buffered. */
function sendAfterClose(websocket, data, callback) {
  if (data) websocket._bufferedAmount += byteLengthOf(data);
  if (callback) {
    const state = `${websocket._readyState} (${READY_STATES[websocket._readyState]})`;
    const error = new Error(`WebSocket is not open: readyState ${state}`);
    process.nextTick(callback, error);
  }
}

function unpooled(bytes) {
  if (bytes.length === 0) return EMPTY_BUFFER;
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

for (const [value, name] of READY_STATES.entries()) {
  const descriptor = { enumerable: true, value };
  Object.defineProperty(WebSocket, name, descriptor);
  Object.defineProperty(WebSocket.prototype, name, descriptor);
}
for (const name of [
  'binaryType',
  'bufferedAmount',
  'extensions',
  'isPaused',
  'protocol',
  'readyState',
  'url'
]) {
  Object.defineProperty(WebSocket.prototype, name, { enumerable: true });
}
mixInto(WebSocket.prototype);

module.exports = WebSocket;
