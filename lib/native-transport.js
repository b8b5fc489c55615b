// The native transport: a WebSocket whose socket lives in a reactor.
//
// Owns: the outbound half: frames and commands, the count of bytes queued, Blobs
// that are being read; how the connection ends. The inbound half is
// native-inbound.js. Used by websocket.js and by what makes connections.
// Runs on: js. Tests: __test__/api, __test__/process.

'use strict';

const { Buffer } = require('buffer');

const bridge = require('./bridge');
const { atEndOfIteration } = require('./closing-phase');
const {
  EMPTY_BUFFER,
  NOOP,
  PERMESSAGE_DEFLATE,
  kFailed,
  kLimits,
  kOnBackpressure,
  kOnDisconnect,
  kOnDropped,
  kOnEnd,
  kOnGone,
  kOnSendError,
  kOutside,
  kTransport
} = require('./constants');
const { destroyedError, droppedError, systemError } = require('./errors');
const NativeInbound = require('./native-inbound');
const { catchUp, finishReading, giveBack, makeSocket } = require('./native-socket');
const { SenderStandIn } = require('./native-stand-ins');
const { PendingWrites, ownCallback } = require('./pending-writes');
const Queue = require('./queue');
const { byteLengthOf } = require('./send-data');
const { SendGate, isBlob } = require('./send-gate');
const { DRAINS_SINGLE_WRITES, HIGH_WATER_MARK } = require('./stream-rules');
const { currentTick } = require('./tick');
const { keepByHand, leaveToReactor, sharesTopics } = require('./topics/membership');
const Outside = require('./topics/outside');

const {
  BACKPRESSURE_CLOSES,
  BACKPRESSURE_ON,
  COMMAND_ACCEPT,
  COMMAND_DESTROY,
  COMMAND_END,
  COMMAND_FRAME,
  COMMAND_GUARD,
  COMMAND_KEEP_ALIVE,
  COMMAND_LEAVE,
  COMMAND_MAX_PAYLOAD,
  COMMAND_NO_DELAY,
  COMMAND_PAUSE,
  COMMAND_POST,
  COMMAND_RAW,
  COMMAND_RELEASE,
  COMMAND_RESUME,
  COMMAND_SUBSCRIBE,
  COMMAND_UNSUBSCRIBE,
  COMMAND_WATCH,
  FLAG_ACK,
  FLAG_COMPRESS,
  FLAG_FIN,
  FLAG_MASK,
  FLAG_WHOLE
} = bridge.layout;

const FIN_BIT = FLAG_FIN << 8;
const MASK_BIT = FLAG_MASK << 8;
const ACK_BIT = FLAG_ACK << 8;
const COMPRESS_BIT = FLAG_COMPRESS << 8;
const WHOLE_BIT = FLAG_WHOLE << 8;

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
    /** The listener that has to be told when this connection is gone, or null. */
    this.listener = null;
    /** Whether the socket is closed. */
    this.gone = false;
    /** What net.Socket has for a handle, once there is a socket object. */
    this.handle = null;
    /** Who wants to know of traffic, or null. */
    this.watcher = null;
    /** The tick in which a large frame was sent. */
    this.largeIn = -1;
    this._inbound = new NativeInbound(this, generation);
    this._hold = new bridge.Hold();
    this._writes = null;
    this._queued = 0;
    // Where messages can be dropped, bufferedAmount counts bytes.
    this._countsBytes = false;
    this._surplus = null;
    this._gate = null;
    this._passesByHand = false;
    this._sender = null;
    this._socket = null;
    this._destroyed = false;
    this._ended = false;
    this._finished = false;
    this._failure = null;
    this._onFinished = null;
    this._onExtracted = null;
    this._heir = null;
    this._outside = null;
    this._onOver = null;
    this._over = false;
    // Whether the WebSocket and the listener have heard of the end.
    this._told = false;
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
  attach(websocket, options, scope) {
    const { allowSynchronousEvents = true, [kLimits]: limits } = options;
    this._countsBytes = limits !== undefined && limits.backpressure !== null;
    this._inbound.websocket = websocket;
    this._inbound.scope = scope;
    this._inbound.stepped = !allowSynchronousEvents;
    const { _socket: socket } = this;
    if (socket === null) return;
    if (socket.timeout > 0) socket.setTimeout(0);
    // One that was paused before stays so, as with ws.
    if (socket.readableFlowing === false) this.pauseReading();
    else socket.resume();
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
    this._inbound.onMessage(data, isBinary, true);
  }

  /** As `onEarlyMessage()`, for pings and pongs. */
  onEarlyControl(tag, data) {
    this._inbound.onEvent(tag, 0, data, true);
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
      this._passByHand(true);
    } else if (this._gate !== null && this._gate.isShut) {
      const send = () => this._frame(opcode, data, fin, mask, callback, compress);
      this._gate.wait(byteLengthOf(data), send, callback);
    } else {
      this._frame(opcode, data, fin, mask, callback, compress);
    }
  }

  _makeGate() {
    return new SendGate(
      () => this._isClosed(),
      (error) => this.websocket[kOnSendError](error),
      () => this._passByHand(false)
    );
  }

  _isClosed() {
    return this.gone || this._destroyed;
  }

  /**
   * Makes the connection a member of a topic. What is published to it from here on goes out behind
   * what was sent before.
   *
   * @param {Number} topic
   * @return {Number} The index of the lane in which it is one
   */
  join(topic) {
    this._command(COMMAND_SUBSCRIBE, topic);
    return this.lane.index;
  }

  leave(topic) {
    this._command(COMMAND_UNSUBSCRIBE, topic);
  }

  leaveAll() {
    this._command(COMMAND_LEAVE, 0);
  }

  /** Whether what is published to it comes through `publish()`: not while the reactor can do it. */
  get passesByHand() {
    return this._passesByHand;
  }

  // What is published while a Blob is read has to wait for it, as what is sent.
  _passByHand(on) {
    if (on === this._passesByHand || this.gone) return;
    this._passesByHand = on;
    this._command(COMMAND_GUARD, on ? 1 : 0);
    if (this.websocket === null) return;
    if (on) keepByHand(this.websocket);
    else leaveToReactor(this.websocket);
  }

  /**
   * Queues a message that was published.
   *
   * @param {PreparedMessage} message
   */
  publish(message) {
    if (this._gate !== null && this._gate.isShut) {
      this._gate.wait(message.data.length, () => this._publish(message));
    } else {
      this._publish(message);
    }
  }

  /**
   * Queues a prepared message.
   *
   * @param {PreparedMessage} message
   * @param {Function} [callback] As of `frame()`
   */
  post(message, callback) {
    if (this._gate !== null && this._gate.isShut) {
      this._gate.wait(message.data.length, () => this._post(message, callback), callback);
    } else {
      this._post(message, callback);
    }
  }

  _post(message, callback) {
    let word = COMMAND_POST;
    if (callback !== undefined) {
      word |= ACK_BIT;
      const isCompressing = message.compress && this._isCompressed(message.data);
      if (!this._await(callback, isCompressing)) return;
    }
    if (this.gone) return;
    const { lane } = this;
    lane.command(word, this.slot, this.generation, lane.prepare(message));
    if (message.data.length >= HIGH_WATER_MARK) this.largeIn = currentTick();
    this._noteSent(message.data.length, message.data.length - message.surplus, false);
  }

  _publish({ opcode, data, compress }) {
    if (this.gone) return;
    const flags = FIN_BIT | WHOLE_BIT | (compress ? COMPRESS_BIT : 0);
    const word = COMMAND_FRAME | flags | (opcode << 16);
    this._queued += frameLength(this.lane.write(word, this.slot, this.generation, data));
  }

  _frame(opcode, data, fin, mask, callback, compress) {
    let word = COMMAND_FRAME | (opcode << 16);
    if (fin) word |= FIN_BIT;
    if (mask) word |= MASK_BIT;
    if (compress) word |= COMPRESS_BIT;
    if (callback !== undefined) {
      word |= ACK_BIT;
      const isCompressing = compress === true && this._isCompressed(data);
      if (!this._await(callback, isCompressing)) return;
    }
    if (this.gone) return;
    const length = this.lane.write(word, this.slot, this.generation, data);
    if (length >= HIGH_WATER_MARK) {
      // COMPAT(ws 8.23): a client's bytes are one write with their header, which the kernel takes at once.
      const isSingle = mask && !compress && typeof data !== 'string';
      if (!isSingle || DRAINS_SINGLE_WRITES) this.largeIn = currentTick();
    }
    const isText = typeof data === 'string' && !mask;
    this._noteSent(length, isText ? data.length : length, mask);
  }

  /** A frame is queued; its payload counts as `units` while it waits. */
  _noteSent(length, units, mask) {
    this._queued += frameLength(length) + (mask ? 4 : 0);
    if (length !== units && !this._countsBytes) this._noteSurplus(length - units);
    if (this.watcher !== null) this.watcher.onSend();
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
      if (!this._await(callback, false)) return;
    }
    if (this.gone) return;
    this._queued += this.lane.write(word, this.slot, this.generation, data);
  }

  /**
   * The same for bytes in several parts.
   *
   * @param {Array<Buffer|String>} list
   * @param {Function} [callback]
   */
  rawParts(list, callback) {
    const bytes =
      list.length === 1 ? list[0] : Buffer.concat(list.map((part) => Buffer.from(part)));
    this.raw(bytes, callback);
    if (bytes.length >= HIGH_WATER_MARK && (list.length > 1 || DRAINS_SINGLE_WRITES)) {
      this.largeIn = currentTick();
    }
    if (this.watcher !== null) this.watcher.onSend();
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

  _await(callback, isCompressing) {
    if (this.gone) {
      process.nextTick(callback, this._failure || destroyedError());
      return false;
    }
    if (this._writes === null) this._writes = new PendingWrites();
    this._writes.add(callback, isCompressing);
    return true;
  }

  _isCompressed(data) {
    const { [PERMESSAGE_DEFLATE]: deflate } = this.websocket._extensions;
    return deflate !== undefined && byteLengthOf(data) >= deflate._threshold;
  }

  /** Finishes our side once all is written; `close` then closes the socket, too. */
  end(close = false) {
    if (this._gate !== null && this._gate.isShut) {
      this._gate.wait(0, () => this.end(close));
      return;
    }
    // A socket object ends as Node's do, and comes back to finishSide().
    if (this._socket !== null && !close) this._socket.end();
    else this._finishSide(close, this._onFinished === null ? null : NOOP);
  }

  /**
   * @param {Function} callback Called when all is written and our side finished
   */
  finishSide(callback) {
    if (this._ended) process.nextTick(callback);
    else this._finishSide(false, callback);
  }

  _finishSide(close, callback) {
    this._ended = true;
    // The callback of an empty write comes when everything before it is written.
    if (callback !== null) {
      const done = ownCallback((error) => {
        if (!error) this._finish();
        callback();
      });
      this.raw('', done);
    }
    this._command(COMMAND_END, close ? 1 : 0);
  }

  /** Closes the socket at once. What is queued is lost. */
  destroy() {
    if (this._socket !== null) this._socket.destroy();
    else if (this._inbound.isPaused && this.websocket !== null) this.socket.destroy();
    else this._close(false);
  }

  /**
   * The same for the handle of the socket object.
   *
   * @param {Boolean} reset
   * @param {Function} callback Called when the socket is closed
   */
  closeSocket(reset, callback) {
    if (this._over) {
      setImmediate(callback);
    } else {
      this._onOver = callback;
      this._close(reset);
    }
  }

  _close(reset) {
    this._destroyed = true;
    this._inbound.stop();
    this._command(COMMAND_DESTROY, reset ? 1 : 0);
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

  /** Called by the inbound half: something came. */
  touch() {
    if (this.watcher !== null) this.watcher.onTraffic();
  }

  /** Called by the inbound half: the bytes of so many acknowledged commands are written. */
  onWritten(count) {
    this._writes.complete(count);
  }

  /** Called by the inbound half: messages were dropped. The layout is that of EVENT_DROPPED. */
  onDropped(payload) {
    for (let at = 12; at < payload.length; at += 4) {
      this._writes.drop(payload.readUInt32LE(at), droppedError());
    }
    const bytes = payload.readUInt32LE(4) + payload.readUInt32LE(8) * 2 ** 32;
    if (this.websocket !== null) this.websocket[kOnDropped](payload.readUInt32LE(0), bytes);
  }

  /** Called by the inbound half: more waits than may, or much less again. */
  onBackpressure(bits) {
    if (this.websocket === null) return;
    const [on, closes] = [BACKPRESSURE_ON, BACKPRESSURE_CLOSES].map((bit) => (bits & bit) !== 0);
    this.websocket[kOnBackpressure](on, closes);
  }

  /** Called by the inbound half: the socket is closed. */
  onGone(errno) {
    if (this.handle !== null) this.handle.keepCarriedBytes();
    if (errno !== 0 && this._failure === null) this._failure = failureOf(errno);
    this._forget();
    // At the end of the loop's iteration, where Node closes sockets: failed callbacks come first, and
    // what JavaScript began before is as far as it would be with ws.
    atEndOfIteration(this.scope, this._destroyed, conclude, this, errno);
  }

  _forget() {
    this.gone = true;
    this.lane.endpoints[this.slot] = undefined;
    this.lane.command(COMMAND_RELEASE, this.slot, this.generation, 0);
    this._hold.release();
    if (this._writes !== null) this._writes.fail(this._failure);
  }

  /** The socket object was destroyed because of an error. */
  noteFailure(error) {
    if (this._failure === null) this._failure = error;
  }

  /** Called by the inbound half: the peer has finished its side. */
  onEnd() {
    // One that was given back reads it again.
    if (this._heir !== null) return;
    if (this._socket !== null) finishReading(this._socket);
    else if (this.websocket !== null) this.websocket[kOnEnd]();
    else this.end();
  }

  /** The socket object has emitted 'close'. */
  onSocketClosed() {
    const { websocket } = this;
    // One that was made afterwards tells nothing new.
    if (this._told) return;
    if (websocket === null) {
      concluded(this);
      return;
    }
    // COMPAT(ws 8.23): at once if the receiver has seen the end.
    const hasEnded = this._socket.readableEnded || websocket._closeFrameReceived;
    websocket[kOnDisconnect]();
    if (hasEnded || websocket[kFailed]) concluded(this);
    else process.nextTick(concluded, this);
  }

  /** Events that come now are nobody's any more. */
  stopEvents() {
    this._inbound.stop();
  }

  forgetListener() {
    if (this.listener !== null) this.listener.forget();
  }

  /**
   * Takes the connection out of its reactor. `handOver()` has to follow.
   *
   * @param {Number} ahead How many bytes to read of what waits for it
   * @return {?Extracted} Null if it is gone
   */
  extract(ahead) {
    if (this.gone) return null;
    return bridge.extract(this.lane, this.slot, this.generation, ahead);
  }

  /**
   * Another transport goes on with the connection: whoever knows this one reaches that. Events that
   * the reactor reported before still come this way.
   *
   * @param {?DemotedTransport} heir Null if there is no WebSocket
   * @param {net.Socket} socket
   */
  handOver(heir, socket) {
    // The socket keeps the process alive from now on.
    this._hold.referenced = false;
    this.gone = true;
    this.watcher = null;
    this._heir = heir;
    this._isClosed = () => socket.destroyed;
    this.raw = (data, callback) => socket.write(data, callback);
    this.end = () => socket.end();
    this.destroy = () => socket.destroy();
    this.pause = () => socket.pause();
    this.resume = () => socket.resume();
    if (heir === null) return;
    this.frame = this._frame = (...frame) => heir.frame(...frame);
    this.publish = this._publish = (message) => heir.publish(message);
    this.post = this._post = (message, callback) => heir.post(message, callback);
    this.end = () => heir.end();
    if (this._gate !== null) heir.sender.shareGate(this._gate);
    if (this._inbound.blocked) heir.setBlocked(true);
    // Held back by a pause that the socket's user ends; later ones hold back nothing here.
    if (this._inbound.isPaused) socket.once('resume', () => this._inbound.resume());
    this.websocket[kTransport] = heir;
    keepByHand(this.websocket);
    if (!sharesTopics(this.websocket)) return;
    // The reactor goes on to tell of what other threads publish.
    this._outside = new Outside(this.websocket, this.lane, this.slot, this.generation);
    this.websocket[kOutside] = this._outside;
  }

  /** @param {Function} callback Called when all that the reactor reported is delivered */
  onceExtracted(callback) {
    this._onExtracted = callback;
  }

  /** Called by the inbound half: nothing comes from the reactor any more. */
  onExtracted() {
    if (this._outside !== null) {
      this._outside.begin();
    } else {
      this.lane.endpoints[this.slot] = undefined;
      this.lane.command(COMMAND_RELEASE, this.slot, this.generation, 0);
    }
    this._hold.release();
    if (this._onExtracted !== null) this._onExtracted();
  }

  /**
   * The bytes of so many acknowledged commands were written by the socket, or never will be.
   *
   * @param {Number} count
   * @param {?Error} error
   */
  onWrittenElsewhere(count, error) {
    if (this._writes === null) return;
    if (error) this._writes.fail(error);
    else this._writes.complete(count);
  }

  /**
   * So many acknowledged commands are lost, and all before them written.
   *
   * @param {Number} count
   * @param {?Error} cause What the socket is destroyed for
   */
  onLost(count, cause) {
    if (this._writes !== null) this._writes.giveUp(count, cause);
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

  /** How large messages may be from now on; 0 is no limit. */
  setMaxPayload(limit) {
    this._command(COMMAND_MAX_PAYLOAD, limit);
  }

  /** Stops reading. What was handed over with the current event is still delivered. */
  pause() {
    if (this._socket !== null) this._socket.pause();
    else this.pauseReading();
  }

  resume() {
    if (this._socket !== null) this._socket.resume();
    else this.resumeReading();
  }

  pauseReading() {
    this._inbound.pause();
    this._command(COMMAND_PAUSE, 0);
  }

  resumeReading() {
    this._inbound.resume();
    if (!this._inbound.isFull) this._command(COMMAND_RESUME, 0);
  }

  /** Whether handlers are too busy for what comes. */
  setBlocked(on) {
    this._inbound.blocked = on;
    if (this._heir !== null) this._heir.setBlocked(on);
  }

  /** Called by the inbound half: whether there is room for events. */
  setReading(on) {
    const wanted = on && !this._inbound.isPaused;
    this._command(wanted ? COMMAND_RESUME : COMMAND_PAUSE, 0);
  }

  /**
   * The socket: Node's own, if the connection had one, else made when first asked for.
   *
   * @type {net.Socket}
   */
  get socket() {
    if (this._socket === null) {
      this._socket = makeSocket(this);
      catchUp(this._socket, {
        isAttached: this.websocket !== null,
        isPaused: this._inbound.isPaused,
        hasEnded: this._ended,
        isOver: this._over
      });
      // Nobody else would tell who looks at the socket that its peer has left.
      if (this.websocket === null) this.watch();
    }
    return this._socket;
  }

  set socket(socket) {
    this._socket = socket;
  }

  /** The socket object if somebody has asked for it, else null. */
  get knownSocket() {
    return this._socket;
  }

  /** What stands for ws's Sender. */
  get sender() {
    if (this._sender === null) this._sender = new SenderStandIn(this);
    return this._sender;
  }

  /** What stands for ws's Sender if somebody has asked for it, else null. */
  get knownSender() {
    return this._sender;
  }

  /** What stands for ws's Receiver if somebody has asked for it, else null. */
  get knownReceiver() {
    return this._inbound.knownReceiver;
  }

  /** What waits for a Blob, or null. */
  get gate() {
    return this._gate;
  }

  /** Gives the connection back to Node, as who uses its socket does. */
  giveBack() {
    giveBack(this.socket);
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

  /** The same without what waits for a Blob: what a socket would have to write. */
  get writableLength() {
    return this.bufferedAmount - this.gateBytes;
  }

  /** Bytes that were read, and that were written or wait for it. */
  carriedBytes() {
    return bridge.carriedBytes(this.lane, this.slot, this.generation);
  }

  /** The descriptor, -1 once the connection is gone. */
  get descriptor() {
    return this.gone ? -1 : bridge.descriptor(this.lane, this.slot, this.generation);
  }

  /** Local and remote address, or null. */
  get addresses() {
    return this.gone ? null : bridge.addresses(this.lane, this.slot, this.generation);
  }

  _command(tag, argument) {
    if (!this.gone) this.lane.command(tag, this.slot, this.generation, argument);
  }
}

function failureOf(errno) {
  const error = systemError(errno, 'read');
  return error.code === 'EPIPE' ? systemError(errno, 'write') : error;
}

/** Bytes of an unmasked frame, header included. */
function frameLength(length) {
  return length + (length < 126 ? 2 : length < 65536 ? 4 : 10);
}

function conclude(transport, errno) {
  transport._inbound.conclude(() => finish(transport, errno));
}

function finish(transport, errno) {
  const { _onOver: onOver, _socket: socket, websocket } = transport;
  transport._over = true;
  if (socket === null) {
    if (websocket !== null) websocket[kOnDisconnect]();
    if (transport._ended && !transport._destroyed && errno === 0) transport._finish();
    concluded(transport);
  } else if (onOver !== null) {
    // 'close' follows, and from it what concerns the WebSocket.
    onOver();
  } else if (errno !== 0) {
    socket.destroy(transport._failure);
  } else {
    finishReading(socket);
    socket.end();
    // Node does so by itself, unless the socket is paused.
    setImmediate(destroySocket, socket);
  }
}

function destroySocket(socket) {
  socket.destroy();
}

/** The WebSocket hears of the end, then the listener. */
function concluded(transport) {
  transport._told = true;
  try {
    if (transport.websocket !== null) transport.websocket[kOnGone]();
  } finally {
    transport.forgetListener();
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
