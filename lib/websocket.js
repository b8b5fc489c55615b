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
  emptyBuffer,
  kFailed,
  kLimits,
  kOnBackpressure,
  kOnConclude,
  kOnDisconnect,
  kOnDropped,
  kOnEnd,
  kOnGone,
  kOnLimited,
  kOnMessage,
  kOnPing,
  kOnPong,
  kOnSendError,
  kOnSocketError,
  kOnViolation,
  kOpen,
  kOptions,
  kOutside,
  kPressed,
  kRelease,
  kSetSocket,
  kServer,
  kStatusCode,
  kSubscriptions,
  kTopics,
  kTransport
} = require('./constants');
const { limitError } = require('./errors');
const { ownCallback } = require('./pending-writes');
const {
  byteLengthOf,
  checkControlPayload,
  closePayload,
  toPayload,
  toShared
} = require('./send-data');
const { topicsOf } = require('./topics/membership');
const PreparedMessage = require('./topics/prepared-message');
const { targetOf } = require('./upgrade-target');
const client = require('./websocket-client');
const countInFlight = require('./in-flight');

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = OPCODES;

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3];
const NO_OPTIONS = {};
const NO_EXTENSIONS = Object.freeze({});
const { hasOwnProperty } = Object.prototype;

// The names with an underscore are ws's. What else there is has no name that a user could hit.
const kCloseQueued = Symbol('kCloseQueued');
const kFragmenting = Symbol('kFragmenting');
const kScope = Symbol('kScope');

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
    this._closeFrameReceived = false;
    this._closeFrameSent = false;
    this._closeMessage = EMPTY_BUFFER;
    this._closeTimer = null;
    this._errorEmitted = false;
    this._extensions = NO_EXTENSIONS;
    this._paused = false;
    this._pendingAutoPongs = 0;
    this._protocol = '';
    this._readyState = CONNECTING;
    this[kCloseQueued] = false;
    this[kFailed] = false;
    this[kFragmenting] = false;
    this[kPressed] = false;
    this[kRelease] = null;
    // Of its topics: the server, what stands for it where threads share them, which it has.
    this[kServer] = null;
    this[kOutside] = null;
    this[kSubscriptions] = null;
    // The asynchronous context of what a worker reports.
    this[kScope] = rootScope;
    this[kTransport] = null;

    if (address !== null) {
      this._isServer = false;
      this[kScope] = new AsyncResource('WebSocket');
      this._redirects = 0;
      this._req = null;
      client.connect(this, address, protocols, options);
    } else {
      this._isServer = true;
      this[kOptions] = options;
      this._autoPong = options.autoPong;
      this._closeTimeout = options.closeTimeout;
    }
  }

  /**
   * Prepares a message that several WebSockets are to send: it is framed once, and compressed once
   * for all that compress alike.
   *
   * @param {*} data As for `send()`, but no Blob. Copied
   * @param {{binary: Boolean, compress: Boolean}} [options]
   * @return {PreparedMessage} For `send()`
   * @throws {TypeError} On data that cannot be sent
   */
  static prepare(data, options) {
    const { binary, compress = true } = options == null ? NO_OPTIONS : options;
    const payload = toShared(data);
    const isBinary = binary === undefined ? typeof payload !== 'string' : Boolean(binary);
    return new PreparedMessage(isBinary ? BINARY : TEXT, payload, Boolean(compress));
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
    if (this[kTransport] !== null) this[kTransport].setBinaryType(type);
  }

  /**
   * Bytes that were queued and not yet handed to the kernel, frame headers included.
   *
   * @type {Number}
   */
  get bufferedAmount() {
    const queued = this[kTransport] === null ? 0 : this[kTransport].bufferedAmount;
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
    return this[kTransport] === null ? null : this[kTransport].socket;
  }

  set _socket(value) {
    replace(this, '_socket', value);
  }

  /** What decodes, or a stand-in with its documented events. */
  get _receiver() {
    return this[kTransport] === null ? null : this[kTransport].receiver;
  }

  set _receiver(value) {
    replace(this, '_receiver', value);
  }

  /** What frames and writes, or a stand-in that does so natively. */
  get _sender() {
    return this[kTransport] === null ? null : this[kTransport].sender;
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
    const target = targetOf(socket, head);
    const limits = this._isServer ? this[kOptions][kLimits] : undefined;
    if (limits !== undefined) options = { ...options, [kLimits]: limits };
    this[kOpen](target.accept('', options, this._extensions, this._isServer), options);
  }

  /**
   * Puts the WebSocket on a connection. Its handshake is done.
   *
   * @param {(NativeTransport|StreamTransport)} transport
   * @param {{allowSynchronousEvents: Boolean}} options
   */
  [kOpen](transport, options) {
    this[kTransport] = transport;
    const limits = this._isServer ? this[kOptions][kLimits] : undefined;
    if (limits !== undefined && limits.maxInFlight !== Infinity) {
      countInFlight(this, limits.maxInFlight, (on) => transport.setBlocked(on));
    }
    transport.attach(this, options, this[kScope]);
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
      endIfDone(this);
      return;
    }

    const payload = closePayload(code, reason);
    beginClosing(this);
    this[kTransport].frame(CLOSE, payload, true, !this._isServer, (error) => {
      if (!error) this._closeFrameSent = true;
    });
    this[kCloseQueued] = true;
    endIfDone(this);
    startCloseTimer(this);
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
    if (this[kTransport] !== null) {
      beginClosing(this);
      this[kTransport].destroy();
    }
  }

  /** Stops reading from the peer. */
  pause() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    this._paused = true;
    this[kTransport].pause();
  }

  /** Reads again. */
  resume() {
    if (this._readyState === CONNECTING || this._readyState === CLOSED) return;
    this._paused = false;
    this[kTransport].resume();
  }

  /**
   * Sends a message or a fragment of one.
   *
   * @param {*} data A string (text), number, Buffer, view, ArrayBuffer or whatever `Buffer.from()`
   *     takes, or what `prepare()` returned
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
        sendPlainly(this, TEXT, data);
        return;
      }
      if (Buffer.isBuffer(data)) {
        sendPlainly(this, BINARY, data);
        return;
      }
    }
    sendMessage(this, data, options, callback);
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

  /**
   * Subscribes to a topic of the server: from here on this WebSocket gets what is published to it.
   * With `since`, a position in the topic's history, it gets first what was published after that; the
   * server's 'history' tells whether that is all.
   *
   * @param {String} topic
   * @param {{since: String}} [options]
   * @return {Boolean} `false` if it was subscribed, or is not open any more
   * @throws {Error} If this is no WebSocket of a server
   * @throws {TypeError} If `since` is no string, or the server's backbone keeps no history
   * @throws {TypeError|RangeError} If no topic can have that name
   * @throws {RangeError} If it has as many topics as the server's `maxSubscriptions`
   */
  subscribe(topic, options) {
    const topics = topicsFor(this);
    if (this._readyState === OPEN) return topics.subscribe(this, topic, options);
    topics.check(topic);
    return false;
  }

  /**
   * Leaves a topic. What was published to it before still comes.
   *
   * @param {String} topic
   * @return {Boolean} `false` if it was not subscribed
   * @throws {Error|TypeError|RangeError} As `subscribe()`
   */
  unsubscribe(topic) {
    return topicsFor(this).unsubscribe(this, topic);
  }

  /**
   * @param {String} topic
   * @return {Boolean}
   * @throws {TypeError|RangeError} If no topic can have that name
   */
  isSubscribed(topic) {
    return this[kServer] !== null && topicsFor(this).includes(this, topic);
  }

  /**
   * The topics that it is subscribed to: until it begins to close.
   *
   * @type {String[]}
   */
  get subscriptions() {
    return topicsOf(this).map(({ name }) => name);
  }

  set subscriptions(value) {
    Object.defineProperty(this, 'subscriptions', {
      configurable: true,
      enumerable: true,
      value,
      writable: true
    });
  }

  /**
   * Gives a message to everybody else who is subscribed to a topic.
   *
   * @param {String} topic
   * @param {*} data As for `send()`, but no Blob
   * @param {{binary: Boolean, compress: Boolean, except: (WebSocket|Iterable<WebSocket>)}} [options]
   * @return {Number} How many get it
   * @throws {Error|TypeError|RangeError} As `subscribe()`
   * @throws {TypeError} On data that cannot be sent
   */
  publish(topic, data, options) {
    const topics = topicsFor(this);
    return topics.publish(this[kServer], topic, data, options, this);
  }

  /** Tells that the connection is over. */
  emitClose() {
    this._readyState = CLOSED;
    if (this[kTransport] !== null && compresses(this)) {
      this._extensions[PERMESSAGE_DEFLATE].cleanup();
    }
    if (this[kRelease] !== null) this[kRelease](this);
    if (this._closeMessage === EMPTY_BUFFER) this._closeMessage = emptyBuffer();
    this.emit('close', this._closeCode, this._closeMessage);
  }

  // What follows is called by the transport.

  [kOnMessage](data, isBinary, boundaries) {
    if (isBinary) data = toBinaryType(data, boundaries, this._binaryType);
    this.emit('message', data, isBinary);
  }

  [kOnPing](data) {
    if (this._autoPong && this._readyState === OPEN) pongBack(this, data);
    this.emit('ping', data);
  }

  [kOnPong](data) {
    this.emit('pong', data);
  }

  [kOnConclude](code, reason) {
    this._closeFrameReceived = true;
    this._closeMessage = unpooled(reason);
    this._closeCode = code;
    readOn(this);
    if (code === 1005) this.close();
    else this.close(code, reason);
  }

  [kOnViolation](error) {
    this[kFailed] = true;
    readOn(this);
    this.close(error[kStatusCode]);
    emitErrorOnce(this, error);
  }

  /** More waits for the peer than may, which may end the connection, or only half of that again. */
  [kOnBackpressure](on, closes) {
    if (on !== this[kPressed]) {
      this[kPressed] = on;
      this.emit(on ? 'backpressure' : 'drain');
    }
    if (closes) close.call(this, 1013, 'Too slow');
  }

  /** So many messages were dropped, with so many bytes. */
  [kOnDropped](messages, bytes) {
    this.emit('dropped', messages, bytes);
  }

  /** The peer sent more than it may. Nothing that it sent follows. */
  [kOnLimited](which) {
    this[kFailed] = true;
    readOn(this);
    close.call(this, 1008, 'Inbound limit exceeded');
    // It is no fault of the program's: who does not listen is not to be ended by it.
    if (this.listenerCount('error') > 0) emitErrorOnce(this, limitError(which));
  }

  [kOnEnd]() {
    beginClosing(this);
    this[kTransport].end();
  }

  [kOnSocketError]() {
    beginClosing(this);
  }

  /** What was to be sent could not be made: the connection ends. */
  [kOnSendError](error) {
    if (this._readyState === CLOSED) return;
    if (this._readyState === OPEN) {
      beginClosing(this);
      startCloseTimer(this);
    }
    this[kTransport].end();
    emitErrorOnce(this, error);
  }

  /** The socket is closed; what it brought may still have to be delivered. */
  [kOnDisconnect]() {
    if (this._closeTimer !== null) clearTimeout(this._closeTimer);
    beginClosing(this);
  }

  /** The socket is closed and all is delivered. */
  [kOnGone]() {
    this.emitClose();
  }
}

// What a class of the user may have replaced.
const { close } = WebSocket.prototype;
/** From here on nothing is published to it any more. */
function beginClosing(websocket) {
  websocket._readyState = CLOSING;
  if (websocket[kSubscriptions] !== null || websocket[kOutside] !== null) {
    websocket[kServer][kTopics].leaveAll(websocket);
  }
}

function topicsFor({ [kServer]: server }) {
  if (server !== null) return server[kTopics];
  const text = 'Topics are for the WebSockets of a WebSocketServer';
  throw Object.assign(new Error(text), { code: 'ERR_NO_TOPICS' });
}

/** COMPAT(ws 8.23): a plain property there. */
function replace(websocket, name, value) {
  const property = { value, configurable: true, enumerable: true, writable: true };
  Object.defineProperty(websocket, name, property);
}

/** Half-closes the socket once both close frames are under way, or ours after an error. */
function endIfDone(websocket) {
  if (websocket[kCloseQueued] && (websocket._closeFrameReceived || websocket[kFailed])) {
    websocket[kTransport].end();
  }
}

function startCloseTimer(websocket) {
  if (websocket._closeTimer !== null) clearTimeout(websocket._closeTimer);
  const { _closeTimeout: timeout, [kTransport]: transport } = websocket;
  websocket._closeTimer = setTimeout(destroyTransport, timeout, transport);
}

/** Nothing that comes counts any more, but a paused WebSocket has to notice the end. */
function readOn(websocket) {
  if (websocket._paused) process.nextTick(resumeTransport, websocket[kTransport]);
}

function resumeTransport(transport) {
  transport.resume();
}

function emitErrorOnce(websocket, error) {
  if (websocket._errorEmitted) return;
  websocket._errorEmitted = true;
  websocket.emit('error', error);
}

function pongBack(websocket, data) {
  const limit = websocket[kOptions].maxPendingAutoPongs | 0;
  if (limit > 0 && websocket._pendingAutoPongs >= limit) {
    websocket.terminate();
    return;
  }
  websocket._pendingAutoPongs++;
  if (websocket._autoPongComplete === undefined) {
    websocket._autoPongComplete = ownCallback(() => websocket._pendingAutoPongs--);
  }
  websocket.pong(data, !websocket._isServer, websocket._autoPongComplete);
}

/** Whether messages may be compressed. */
function compresses(websocket) {
  const { _extensions: extensions } = websocket;
  return extensions !== NO_EXTENSIONS && extensions[PERMESSAGE_DEFLATE] !== undefined;
}

/** Sends a whole message, or the last fragment of one, as the defaults have it. */
function sendPlainly(websocket, opcode, data) {
  const compress = compresses(websocket);
  const actual = websocket[kFragmenting] ? nextOpcode(websocket, opcode, true) : opcode;
  websocket[kTransport].frame(actual, data, true, !websocket._isServer, undefined, compress);
}

function sendMessage(websocket, data, options, callback) {
  refuseWhileConnecting(websocket);
  if (typeof options === 'function') {
    callback = options;
    options = {};
  }
  if (typeof data === 'number') data = data.toString();
  checkCallback(callback);
  if (data instanceof PreparedMessage) {
    sendPrepared(websocket, data, callback || undefined);
    return;
  }
  if (websocket._readyState !== OPEN) {
    sendAfterClose(websocket, data, callback);
    return;
  }

  // PERF: `{ ...defaults, ...options }` cost a tenth of the JavaScript time of an echo server.
  const given = options == null ? NO_OPTIONS : options;
  const own = (name) => hasOwnProperty.call(given, name);
  const binary = own('binary') ? given.binary : typeof data !== 'string';
  const fin = own('fin') ? given.fin : true;
  const mask = own('mask') ? given.mask : !websocket._isServer;
  const compress = compresses(websocket) && (!own('compress') || given.compress);
  const payload = toPayload(data || EMPTY_BUFFER);
  const opcode = nextOpcode(websocket, binary ? BINARY : TEXT, Boolean(fin));
  websocket[kTransport].frame(
    opcode,
    payload,
    Boolean(fin),
    Boolean(mask),
    callback || undefined,
    Boolean(compress)
  );
}

function sendPrepared(websocket, message, callback) {
  const { opcode, data, compress } = message;
  const { [kTransport]: transport } = websocket;
  if (websocket._readyState !== OPEN) {
    sendAfterClose(websocket, data, callback);
  } else if (websocket._isServer && !websocket[kFragmenting]) {
    transport.post(message, callback);
  } else {
    const mask = !websocket._isServer;
    const deflate = compress && compresses(websocket);
    transport.frame(nextOpcode(websocket, opcode, true), data, true, mask, callback, deflate);
  }
}

/** The opcode of the next data frame: fragments after the first one continue it. */
function nextOpcode(websocket, opcode, fin) {
  if (fin && !websocket[kFragmenting]) return opcode;
  const first = !websocket[kFragmenting];
  websocket[kFragmenting] = !fin;
  return first ? opcode : CONTINUATION;
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
  websocket[kTransport].frame(opcode, payload, true, Boolean(mask), callback || undefined);
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
  if (bytes.length === 0) return emptyBuffer();
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

// By which a server tells whether it was replaced, perhaps before the server's file was loaded.
Object.defineProperty(WebSocket, kSetSocket, { value: WebSocket.prototype.setSocket });

module.exports = WebSocket;
