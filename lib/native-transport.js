// The native transport: a WebSocket whose socket lives on an I/O worker.
//
// Owns: the identity of the connection, the count of bytes it queued, the
// callbacks that wait for bytes to be written, events held back by pause().
// Used by websocket.js (down) and bridge.js (up). Runs on: js.
// Tests: __test__/api, __test__/process.

'use strict';

const { AsyncResource } = require('async_hooks');
const { Buffer } = require('buffer');

const bridge = require('./bridge');
const { readBoundaries } = require('./binary-type');
const { BlobGate, isBlob } = require('./blob-gate');
const { EMPTY_BUFFER } = require('./constants');
const { destroyedError, violationError } = require('./errors');
const NativeSocket = require('./native-socket');
const { ReceiverStandIn, SenderStandIn } = require('./native-stand-ins');
const { byteLengthOf } = require('./send-data');

const {
  COMMAND_ACCEPT,
  COMMAND_DESTROY,
  COMMAND_END,
  COMMAND_FRAME,
  COMMAND_KEEP_ALIVE,
  COMMAND_NO_DELAY,
  COMMAND_PAUSE,
  COMMAND_RAW,
  COMMAND_RELEASE,
  COMMAND_RESUME,
  COMMAND_TRACK_FRAGMENTS,
  COMMAND_WATCH,
  EVENT_CLOSE,
  EVENT_EOF,
  EVENT_FRAGMENTS,
  EVENT_GONE,
  EVENT_MESSAGE,
  EVENT_PING,
  EVENT_PONG,
  EVENT_VIOLATION,
  EVENT_WRITTEN,
  FLAG_ACK,
  FLAG_FIN,
  FLAG_MASK
} = bridge.layout;

// Events that get a turn of their own with `allowSynchronousEvents: false`.
const STEPS = new Set([EVENT_MESSAGE, EVENT_PING, EVENT_PONG]);

const FIN_BIT = FLAG_FIN << 8;
const MASK_BIT = FLAG_MASK << 8;
const ACK_BIT = FLAG_ACK << 8;

/** A callback that waits for bytes to be written, in the context of its send(). */
class PendingWrite extends AsyncResource {
  constructor(callback) {
    super('FERROWS_WRITE');
    this.callback = callback;
  }
}

/**
 * A connection on a worker, with or without a WebSocket on it.
 */
class NativeTransport extends bridge.Hold {
  /**
   * @param {Lane} lane
   * @param {Number} slot
   * @param {Number} generation
   */
  constructor(lane, slot, generation) {
    super();
    this.lane = lane;
    this.slot = slot;
    this.generation = generation;
    this.websocket = null;
    this.listener = null;
    // The asynchronous context of what is emitted.
    this.scope = bridge.rootScope;
    this.gone = false;
    this._queued = 0;
    this._callbacks = null;
    this._due = 0;
    this._waiting = null;
    this._pausedIn = -1;
    this._paused = false;
    this._boundaries = null;
    this._tracking = false;
    this._stepped = false;
    this._concluding = null;
    this._gate = null;
    this._receiver = null;
    this._sender = null;
    this._destroyed = false;
    this._destroyedIn = -1;
    this._onGone = null;
    this._ended = false;
    this._finished = false;
    this._onFinished = null;
    this._socket = null;
    lane.endpoints[slot] = this;
    this.acquire();
  }

  /**
   * Reports to a WebSocket from now on.
   *
   * @param {WebSocket} websocket
   * @param {{allowSynchronousEvents: Boolean}} options
   * @param {AsyncResource} scope The asynchronous context of what is emitted
   */
  attach(websocket, { allowSynchronousEvents = true }, scope) {
    this.websocket = websocket;
    this.scope = scope;
    this._stepped = !allowSynchronousEvents;
    this.setBinaryType(websocket.binaryType);
  }

  /** Gets the lengths of the frames of binary messages when they matter. */
  setBinaryType(type) {
    const tracking = type === 'fragments';
    if (tracking === this._tracking) return;
    this._tracking = tracking;
    this._command(COMMAND_TRACK_FRAGMENTS, tracking ? 1 : 0);
  }

  /**
   * Queues a frame.
   *
   * @param {Number} opcode
   * @param {(String|Uint8Array|Blob)} data Bytes are copied before this returns
   * @param {Boolean} fin
   * @param {Boolean} mask
   * @param {Function} [callback] Called when the bytes went to the kernel, or with an error
   *     when they never will
   */
  frame(opcode, data, fin, mask, callback) {
    if (typeof data !== 'string' && !Buffer.isBuffer(data) && isBlob(data)) {
      if (this._gate === null) this._gate = this._makeGate();
      const send = (bytes) => this._frame(opcode, bytes, fin, mask, callback);
      this._gate.read(data, send, callback);
    } else if (this._gate !== null && this._gate.isShut) {
      const send = () => this._frame(opcode, data, fin, mask, callback);
      this._gate.wait(byteLengthOf(data), send, callback);
    } else {
      this._frame(opcode, data, fin, mask, callback);
    }
  }

  _makeGate() {
    return new BlobGate(
      () => this.gone || this._destroyed,
      (error) => this.websocket._onSendError(error)
    );
  }

  _frame(opcode, data, fin, mask, callback) {
    let word = COMMAND_FRAME | (opcode << 16);
    if (fin) word |= FIN_BIT;
    if (mask) word |= MASK_BIT;
    if (callback !== undefined) {
      word |= ACK_BIT;
      if (!this._await(callback)) return;
    }
    if (this.gone) return;
    const length = this.lane.write(word, this.slot, this.generation, data);
    this._queued += length + (length < 126 ? 2 : length < 65536 ? 4 : 10) + (mask ? 4 : 0);
  }

  /**
   * Queues bytes as they are.
   *
   * @param {(String|Uint8Array)} data
   * @param {Function} [callback]
   */
  raw(data, callback) {
    let word = COMMAND_RAW;
    if (callback !== undefined) {
      word |= ACK_BIT;
      if (!this._await(callback)) return;
    }
    if (this.gone) return;
    this._queued += this.lane.write(word, this.slot, this.generation, data);
  }

  /**
   * Turns the upgrade request that this transport carries into a connection.
   *
   * @param {Uint32Array} settings
   * @param {String} response
   */
  accept(settings, response) {
    const prefix = settings.byteLength;
    const length = Buffer.byteLength(response);
    const payload = Buffer.allocUnsafe(prefix + length);
    payload.set(new Uint8Array(settings.buffer), 0);
    payload.write(response, prefix);
    this.lane.write(COMMAND_ACCEPT, this.slot, this.generation, payload);
    this._queued += length;
  }

  /** Counts bytes that reached the worker by another way. */
  addQueued(bytes) {
    this._queued += bytes;
  }

  _await(callback) {
    if (this.gone) {
      process.nextTick(callback, destroyedError());
      return false;
    }
    if (this._callbacks === null) this._callbacks = [];
    this._callbacks.push(new PendingWrite(callback));
    return true;
  }

  /** Finishes our side once all is written; `close` then closes the socket, too. */
  end(close = false) {
    if (this._gate !== null && this._gate.isShut) {
      this._gate.wait(0, () => this.end(close));
      return;
    }
    this._ended = true;
    // The callback of an empty write comes when everything before it is written.
    if (this._onFinished !== null) {
      this.raw('', (error) => {
        if (!error) this._finish();
      });
    }
    this._command(COMMAND_END, close ? 1 : 0);
  }

  /**
   * @param {Function} callback Called when our side is finished in order
   */
  onceFinished(callback) {
    if (this._finished) callback();
    else this._onFinished = callback;
  }

  _finish() {
    const { _onFinished: callback } = this;
    this._finished = true;
    this._onFinished = null;
    if (callback !== null) callback();
  }

  /** Closes the socket at once. What is queued is lost. */
  destroy() {
    if (!this._destroyed) {
      this._destroyed = true;
      this._destroyedIn = turnOfEvents();
    }
    this._command(COMMAND_DESTROY, 0);
  }

  /** Notices a peer that leaves before its upgrade request is decided. */
  watch() {
    this._command(COMMAND_WATCH, 0);
  }

  setNoDelay(on) {
    this._command(COMMAND_NO_DELAY, on ? 1 : 0);
  }

  /** @param {Number} seconds Idle time before probes, 0 to stop them */
  setKeepAlive(seconds) {
    this._command(COMMAND_KEEP_ALIVE, seconds);
  }

  /** Stops reading. What was handed over with the current event is still delivered. */
  pause() {
    this._paused = true;
    this._pausedIn = turnOfEvents();
    this._command(COMMAND_PAUSE, 0);
  }

  resume() {
    this._paused = false;
    this._command(COMMAND_RESUME, 0);
    if (this._waiting !== null) process.nextTick(deliverWaiting, this);
  }

  /**
   * Node's own socket, if the connection had one, else a stand-in made when first asked for.
   *
   * @type {Duplex}
   */
  get socket() {
    if (this._socket === null) this._socket = new NativeSocket(this);
    return this._socket;
  }

  set socket(socket) {
    this._socket = socket;
  }

  /** What stands for ws's Receiver. */
  get receiver() {
    if (this._receiver === null) this._receiver = new ReceiverStandIn(this);
    return this._receiver;
  }

  /** What stands for ws's Sender. */
  get sender() {
    if (this._sender === null) this._sender = new SenderStandIn(this);
    return this._sender;
  }

  /** Bytes that wait for a Blob. */
  get gateBytes() {
    return this._gate === null ? 0 : this._gate.bytes;
  }

  /** Bytes that were queued and not yet written, frame headers included. */
  get bufferedAmount() {
    if (this.gone) return this.gateBytes;
    return this._queued - this.lane.written(this.slot) + this.gateBytes;
  }

  /** Local and remote address, or null. */
  get addresses() {
    return this.gone ? null : bridge.addresses(this.lane, this.slot, this.generation);
  }

  /**
   * @param {Function} callback Called once, when the socket is closed and the WebSocket told
   */
  onceGone(callback) {
    this._onGone = callback;
  }

  _command(tag, argument) {
    if (!this.gone) this.lane.command(tag, this.slot, this.generation, argument);
  }

  /** Called by the bridge. */
  onMessage(data, isBinary) {
    if (this._destroyed && this._destroyedIn !== bridge.currentTurn()) return;
    if (this._holdsBack(EVENT_MESSAGE)) {
      this._waiting.push([EVENT_MESSAGE, isBinary, data]);
    } else if (this.websocket !== null) {
      const boundaries = this._boundaries;
      this._boundaries = null;
      this.websocket._onMessage(data, isBinary, boundaries);
    }
  }

  /** Called by the bridge for everything but messages. */
  onEvent(tag, aux, data) {
    if (tag === EVENT_WRITTEN) {
      this._due += data;
      this.runCallbacks();
    } else if (tag === EVENT_GONE) {
      this._end(data);
    } else if (this._destroyed && this._destroyedIn !== bridge.currentTurn()) {
      // ws reads nothing after terminate(), either; what this turn brought is still delivered.
    } else if (this._holdsBack(tag)) {
      this._waiting.push([tag, aux, data]);
    } else {
      this._deliver(tag, aux, data);
    }
  }

  /** Runs callbacks that are due; one that throws does not cost the others their turn. */
  runCallbacks() {
    try {
      while (this._due > 0) {
        this._due--;
        const write = this._callbacks.shift();
        write.runInAsyncScope(write.callback);
      }
    } finally {
      if (this._due > 0) process.nextTick(runCallbacks, this);
    }
  }

  _holdsBack(tag) {
    if (this._waiting !== null) return true;
    const paused = this._paused && this._pausedIn !== bridge.currentTurn();
    const steps = this._stepped && STEPS.has(tag);
    if (!paused && !steps) return false;
    this._waiting = [];
    if (steps) setImmediate(deliverWaiting, this);
    return true;
  }

  _deliver(tag, aux, data) {
    const { websocket } = this;

    if (tag === EVENT_FRAGMENTS) {
      this._boundaries = readBoundaries(data);
    } else if (websocket === null) {
      if (tag === EVENT_EOF) this.end();
    } else if (tag === EVENT_PING) {
      websocket._onPing(data);
    } else if (tag === EVENT_PONG) {
      websocket._onPong(data);
    } else if (tag === EVENT_CLOSE) {
      if (this._receiver !== null) this._receiver.emit('conclude', aux, data);
      websocket._onConclude(aux, data);
    } else if (tag === EVENT_VIOLATION) {
      websocket._onViolation(violationError(aux, data));
    } else if (tag === EVENT_EOF) {
      websocket._onEnd();
    }
  }

  /**
   * Hands over what was held back, all of it if the socket is gone; with
   * `allowSynchronousEvents: false` one message, ping or pong a turn.
   */
  deliverWaiting() {
    let threw = true;
    try {
      this._deliverWaiting();
      threw = false;
    } finally {
      if (threw) setImmediate(deliverWaiting, this);
    }
  }

  _deliverWaiting() {
    let delivered = false;
    while (this._waiting !== null && (!this._paused || this.gone)) {
      if (this._waiting.length === 0) {
        this._waiting = null;
        if (this._concluding !== null) this._concluding();
      } else if (this._stepped && delivered && STEPS.has(this._waiting[0][0])) {
        setImmediate(deliverWaiting, this);
        return;
      } else {
        delivered = true;
        const [tag, aux, data] = this._waiting.shift();
        if (tag !== EVENT_MESSAGE) {
          this._deliver(tag, aux, data);
        } else if (this.websocket !== null) {
          const boundaries = this._boundaries;
          this._boundaries = null;
          this.websocket._onMessage(data, aux, boundaries);
        }
      }
    }
  }

  _end(errno) {
    const { lane, slot, generation } = this;

    this.gone = true;
    lane.endpoints[slot] = undefined;
    lane.command(COMMAND_RELEASE, slot, generation, 0);
    this.release();
    if (this._callbacks !== null) {
      this._due = 0;
      for (const write of this._callbacks) {
        write.runInAsyncScope(process.nextTick, undefined, write.callback, destroyedError());
      }
      this._callbacks = null;
    }
    // One tick later, so that failed callbacks come first and a throwing listener harms nobody.
    process.nextTick(conclude, this, errno);
  }
}

/** The turn whose events are being delivered, -1 outside of one. */
function turnOfEvents() {
  return bridge.isDraining() ? bridge.currentTurn() : -1;
}

function runCallbacks(transport) {
  transport.runCallbacks();
}

function deliverWaiting(transport) {
  transport.deliverWaiting();
}

function conclude(transport, errno) {
  transport._concluding = () => finish(transport, errno);
  if (transport._waiting === null) transport._concluding();
  else if (!transport._stepped) transport.deliverWaiting();
  // A paused WebSocket still gets what came before the end.
  else setImmediate(deliverWaiting, transport);
}

function finish(transport, errno) {
  const { websocket, _onGone: onGone } = transport;
  transport._concluding = transport._onGone = null;
  const inOrder = transport._ended && !transport._destroyed && errno === 0;
  if (websocket !== null) websocket._onDisconnect();
  if (onGone !== null) onGone(errno);
  if (inOrder) transport._finish();
  try {
    if (websocket !== null) websocket._onGone();
  } finally {
    if (transport.listener !== null) transport.listener.forget();
  }
}

/**
 * Hands a connected descriptor to a worker.
 *
 * @param {Number} fd Duplicated; the caller still owns it
 * @param {Uint32Array} settings
 * @param {Uint8Array} preface
 * @param {Uint8Array} initial
 * @return {NativeTransport}
 * @throws {Error} If the descriptor cannot be duplicated
 */
function adoptDescriptor(fd, settings, preface = EMPTY_BUFFER, initial = EMPTY_BUFFER) {
  const lane = bridge.chooseLane();
  const { slot, generation } = lane.reserve();
  const transport = new NativeTransport(lane, slot, generation);
  try {
    bridge.adopt(lane, { slot, generation }, fd, settings, preface, initial);
  } catch (error) {
    transport._end(0);
    throw error;
  }
  transport.addQueued(preface.length);
  return transport;
}

module.exports = { NativeTransport, adoptDescriptor };
