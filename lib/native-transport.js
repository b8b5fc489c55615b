// The native transport: a WebSocket whose socket lives on an I/O worker.
//
// Owns: the outbound half: frames and commands, the count of bytes queued, Blobs
// that are being read. The inbound half is native-inbound.js. Used by
// websocket.js and by what makes connections. Runs on: js.
// Tests: __test__/api, __test__/process.

'use strict';

const { Buffer } = require('buffer');

const bridge = require('./bridge');
const { SendGate, isBlob } = require('./send-gate');
const { EMPTY_BUFFER } = require('./constants');
const { destroyedError } = require('./errors');
const { NativeInbound, PendingWrite, deliverWaiting, turnOfEvents } = require('./native-inbound');
const NativeSocket = require('./native-socket');
const { SenderStandIn } = require('./native-stand-ins');
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
 * A connection on a worker, with or without a WebSocket on it.
 */
class NativeTransport extends NativeInbound {
  /**
   * @param {Lane} lane
   * @param {Number} slot
   * @param {Number} generation
   */
  constructor(lane, slot, generation) {
    super(lane, slot, generation);
    this._queued = 0;
    this._gate = null;
    this._sender = null;
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

  _command(tag, argument) {
    if (!this.gone) this.lane.command(tag, this.slot, this.generation, argument);
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
