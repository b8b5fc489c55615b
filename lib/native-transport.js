// The native transport: a WebSocket whose socket lives in a reactor.
//
// Owns: the outbound half: frames and commands, the count of bytes queued, Blobs
// that are being read; how the connection ends. The inbound half is
// native-inbound.js. Used by websocket.js and by what makes connections.
// Runs on: js. Tests: __test__/api, __test__/process.

'use strict';

const { Buffer } = require('buffer');

const bridge = require('./bridge');
const { EMPTY_BUFFER } = require('./constants');
const { destroyedError } = require('./errors');
const NativeInbound = require('./native-inbound');
const NativeSocket = require('./native-socket');
const { SenderStandIn } = require('./native-stand-ins');
const { PendingWrites } = require('./pending-writes');
const Queue = require('./queue');
const { byteLengthOf } = require('./send-data');
const { SendGate, isBlob } = require('./send-gate');

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
  COMMAND_WATCH,
  FLAG_ACK,
  FLAG_COMPRESS,
  FLAG_FIN,
  FLAG_MASK
} = bridge.layout;

const FIN_BIT = FLAG_FIN << 8;
const MASK_BIT = FLAG_MASK << 8;
const ACK_BIT = FLAG_ACK << 8;
const COMPRESS_BIT = FLAG_COMPRESS << 8;

/**
 * A native connection, with or without a WebSocket on it.
 */
class NativeTransport {
  /**
   * @param {Lane} lane
   * @param {Number} slot
   * @param {Number} generation
   */
  constructor(lane, slot, generation) {
    this.lane = lane;
    this.slot = slot;
    this.generation = generation;
    /** The listener that counts this connection, or null. */
    this.listener = null;
    /** Whether the socket is closed. */
    this.gone = false;
    this._inbound = new NativeInbound(this, generation);
    this._hold = new bridge.Hold();
    this._writes = null;
    this._queued = 0;
    this._surplus = null;
    this._gate = null;
    this._sender = null;
    this._socket = null;
    this._destroyed = false;
    this._ended = false;
    this._finished = false;
    this._onFinished = null;
    this._onGone = null;
    lane.endpoints[slot] = this._inbound;
    this._hold.acquire();
  }

  /**
   * Reports to a WebSocket from now on.
   *
   * @param {WebSocket} websocket
   * @param {{allowSynchronousEvents: Boolean}} options
   * @param {AsyncResource} scope The asynchronous context of what is emitted
   */
  attach(websocket, { allowSynchronousEvents = true }, scope) {
    this._inbound.websocket = websocket;
    this._inbound.scope = scope;
    this._inbound.stepped = !allowSynchronousEvents;
  }

  /** Who hears of events, or null. */
  get websocket() {
    return this._inbound.websocket;
  }

  /** The asynchronous context of what is emitted. */
  get scope() {
    return this._inbound.scope;
  }

  /** What stands for ws's Receiver. */
  get receiver() {
    return this._inbound.receiver;
  }

  /** Whether the connection keeps the process alive. */
  get referenced() {
    return this._hold.referenced;
  }

  set referenced(value) {
    this._hold.referenced = value;
  }

  /** Hands over events that were read before the reactor knew of the connection. */
  onEarlyMessage(data, isBinary) {
    this._inbound.onMessage(data, isBinary);
  }

  /** As `onEarlyMessage()`, for pings and pongs. */
  onEarlyControl(tag, data) {
    this._inbound.onEvent(tag, 0, data);
  }

  /** Nothing to do: every message comes with what any type needs. */
  setBinaryType() {}

  /**
   * Queues a frame.
   *
   * @param {Number} opcode
   * @param {(String|Uint8Array|Blob)} data Bytes are copied before this returns
   * @param {Boolean} fin
   * @param {Boolean} mask
   * @param {Function} [callback] Called when the bytes went to the kernel, or with an error
   *     when they never will
   * @param {Boolean} [compress] For the first frame of a message: compress the message if that was
   *     negotiated
   */
  frame(opcode, data, fin, mask, callback, compress) {
    if (typeof data !== 'string' && !Buffer.isBuffer(data) && isBlob(data)) {
      if (this._gate === null) this._gate = this._makeGate();
      const send = (bytes) => this._frame(opcode, bytes, fin, mask, callback, compress);
      this._gate.read(data, send, callback);
    } else if (this._gate !== null && this._gate.isShut) {
      const send = () => this._frame(opcode, data, fin, mask, callback, compress);
      this._gate.wait(byteLengthOf(data), send, callback);
    } else {
      this._frame(opcode, data, fin, mask, callback, compress);
    }
  }

  _makeGate() {
    return new SendGate(
      () => this.gone || this._destroyed,
      (error) => this.websocket._onSendError(error)
    );
  }

  _frame(opcode, data, fin, mask, callback, compress) {
    let word = COMMAND_FRAME | (opcode << 16);
    if (fin) word |= FIN_BIT;
    if (mask) word |= MASK_BIT;
    if (compress) word |= COMPRESS_BIT;
    if (callback !== undefined) {
      word |= ACK_BIT;
      if (!this._await(callback)) return;
    }
    if (this.gone) return;
    this.touch();
    const length = this.lane.write(word, this.slot, this.generation, data);
    this._queued += length + (length < 126 ? 2 : length < 65536 ? 4 : 10) + (mask ? 4 : 0);
    if (typeof data === 'string' && !mask && length !== data.length) {
      this._noteSurplus(length - data.length);
    }
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

  // COMPAT(ws 8.23): text that waits counts with its length in UTF-16 units.
  _noteSurplus(bytes) {
    if (this._surplus === null) this._surplus = { bytes: 0, texts: new Queue() };
    this._surplus.bytes += bytes;
    this._surplus.texts.push({ end: this._queued, bytes });
    // One look for each text keeps the queue as short as what waits.
    this._surplusAfter(this.lane.written(this.slot));
  }

  /** By how much text that waits is longer in bytes. */
  _surplusAfter(written) {
    if (this._surplus === null) return 0;
    const { texts } = this._surplus;
    while (texts.length > 0 && texts.peek().end <= written) {
      this._surplus.bytes -= texts.shift().bytes;
    }
    return this._surplus.bytes;
  }

  /** Counts bytes that reached the reactor by another way. */
  addQueued(bytes) {
    this._queued += bytes;
  }

  _await(callback) {
    if (this.gone) {
      process.nextTick(callback, destroyedError());
      return false;
    }
    if (this._writes === null) this._writes = new PendingWrites();
    this._writes.add(callback);
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

  /** Closes the socket at once. What is queued is lost. */
  destroy() {
    this._destroyed = true;
    this._inbound.stop();
    this._command(COMMAND_DESTROY, 0);
  }

  /**
   * @param {Function} callback Called once, when the socket is closed and the WebSocket told
   */
  onceGone(callback) {
    this._onGone = callback;
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

  /** Traffic puts the time-out of the socket off, if somebody has set one. */
  touch() {
    const { _socket: socket } = this;
    if (socket !== null && socket.timeout > 0) socket._unrefTimer();
  }

  /** Called by the inbound half: the bytes of so many acknowledged commands are written. */
  onWritten(count) {
    this._writes.complete(count);
  }

  /** Called by the inbound half: the socket is closed. */
  onGone(errno) {
    this._forget();
    // At the end of the loop's iteration, where Node closes sockets: failed callbacks come first, and
    // what JavaScript began before is as far as it would be with ws.
    setImmediate(conclude, this, errno);
  }

  _forget() {
    this.gone = true;
    this.lane.endpoints[this.slot] = undefined;
    this.lane.command(COMMAND_RELEASE, this.slot, this.generation, 0);
    this._hold.release();
    if (this._writes !== null) this._writes.fail();
  }

  /** Notices a peer that leaves before its upgrade request is decided. */
  watch() {
    this._command(COMMAND_WATCH, 0);
  }

  setNoDelay(on) {
    this._command(COMMAND_NO_DELAY, on ? 1 : 0);
  }

  /**
   * Sends keep-alive probes, or stops to.
   *
   * @param {Boolean} on
   * @param {Number} seconds Idle time before them, 0 for the system's
   */
  setKeepAlive(on, seconds) {
    this._command(COMMAND_KEEP_ALIVE | (on ? 1 << 16 : 0), seconds);
  }

  /** Stops reading. What was handed over with the current event is still delivered. */
  pause() {
    this._inbound.pause();
    this._command(COMMAND_PAUSE, 0);
  }

  resume() {
    this._inbound.resume();
    if (!this._inbound.isFull) this._command(COMMAND_RESUME, 0);
  }

  /** Called by the inbound half: whether there is room for events. */
  setReading(on) {
    const wanted = on && !this._inbound.isPaused;
    this._command(wanted ? COMMAND_RESUME : COMMAND_PAUSE, 0);
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
    let waiting = this._queued - this.lane.written(this.slot);
    if (waiting > 0) {
      // What the kernel would take at once does not wait.
      this.lane.settle();
      waiting = this._queued - this.lane.written(this.slot);
    }
    if (waiting > 0) waiting -= this._surplusAfter(this._queued - waiting);
    return waiting + this.gateBytes;
  }

  /** Local and remote address, or null. */
  get addresses() {
    return this.gone ? null : bridge.addresses(this.lane, this.slot, this.generation);
  }

  _command(tag, argument) {
    if (!this.gone) this.lane.command(tag, this.slot, this.generation, argument);
  }
}

function conclude(transport, errno) {
  transport._inbound.conclude(() => finish(transport, errno));
}

function finish(transport, errno) {
  const { websocket, _onGone: onGone } = transport;
  transport._onGone = null;
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
    transport._forget();
    throw error;
  }
  transport.addQueued(preface.length);
  return transport;
}

module.exports = { NativeTransport, adoptDescriptor };
