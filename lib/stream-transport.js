// The stream transport: a WebSocket whose socket stays with Node.
//
// Owns: the wiring of a Duplex, a Receiver and a Sender. Used for TLS, for any
// Duplex without a descriptor, and wherever a worker cannot own the socket. Has
// the same interface as native-transport.js: websocket.js (down), its _on…
// methods (up). Runs on: js. Tests: __test__/stream, and __test__/api with
// FERROWS_TRANSPORT=stream.

'use strict';

const {
  EMPTY_BUFFER,
  NOOP,
  kLimits,
  kOnBackpressure,
  kOnConclude,
  kOnDisconnect,
  kOnDropped,
  kOnEnd,
  kOnGone,
  kOnLimited,
  kOnPing,
  kOnPong,
  kOnSendError,
  kOnSocketError,
  kOnViolation,
  kOptions,
  kWebSocket
} = require('./constants');
const Backlog = require('./backlog');
const Counts = require('./metrics/counts');
const Receiver = require('./receiver');
const { destroyedError } = require('./errors');
const Sender = require('./sender');

// Of connections that are no server's.
const NOBODY = new Counts();
// Milliseconds until it is looked whether somebody else's bytes are written.
const LOOK_AGAIN = 10;
// Reasons to hold a receiver.
const [THROTTLED, BLOCKED, PAUSED] = [1, 2, 4];

class StreamTransport {
  /**
   * @param {Duplex} socket
   * @param {Buffer} head Bytes that were read already
   * @param {Object} options Of the WebSocket
   * @param {Boolean} isServer
   * @param {Object} extensions By name
   * @param {Receiver} [receiver]
   */
  constructor(socket, head, options, isServer, extensions, receiver) {
    this.socket = socket;
    this.websocket = null;
    /** Whether something has come since somebody looked. */
    this.touched = false;
    this._head = head;
    this._limits = null;
    this._counts = NOBODY;
    this._throttle = null;
    this._backlog = null;
    this._awaitsRoom = false;
    this._isLimited = false;
    this._isOver = false;
    this._onClose = null;
    this._onEnd = null;
    this._onData = (chunk) => {
      this.touched = true;
      if (this._throttle !== null && !this._takes(chunk.length)) return;
      if (!this.receiver.write(chunk)) socket.pause();
    };
    this.receiver =
      receiver || new Receiver({ ...options, binaryType: undefined, extensions, isServer });
    this.sender = new Sender(socket, extensions, options.generateMask);
    this.sender.joins = true;
  }

  /** Passes on what comes of reading and sending. */
  report(websocket) {
    const { receiver, sender, socket } = this;
    this.websocket = websocket;
    receiver.binaryType = websocket.binaryType;
    if (websocket._isServer) this._limits = websocket[kOptions][kLimits] || null;
    if (this._limits !== null) {
      this._counts = this._limits.counts;
      this._limits.watch(this);
      this._throttle = this._limits.makeThrottle();
      const { backpressure } = this._limits;
      if (backpressure !== null) this._backlog = new Backlog(backpressure, this);
    }

    receiver.on('message', (data, isBinary) => {
      if (!this._admits()) return;
      this._counts.onMessage(data);
      websocket.emit('message', data, isBinary);
    });
    receiver.on('ping', (data) => {
      if (!this._admits()) return;
      this._counts.onPing();
      websocket[kOnPing](data);
    });
    receiver.on('pong', (data) => {
      if (!this._admits()) return;
      this._counts.onPong();
      websocket[kOnPong](data);
    });
    receiver.on('conclude', (code, reason) => {
      this._stopListening();
      if (!this._isLimited) websocket[kOnConclude](code, reason);
    });
    receiver.on('error', (error) => {
      this._stopListening();
      if (!this._isLimited) websocket[kOnViolation](error);
    });
    receiver.on('drain', () => {
      if (!websocket.isPaused) socket.resume();
    });
    sender.onerror = (error) => websocket[kOnSendError](error);
  }

  /** Starts reading and reports to `websocket` from now on. */
  attach(websocket) {
    const { socket } = this;
    this.report(websocket);

    // Neither is there on every Duplex.
    if (socket.setTimeout) socket.setTimeout(0);
    if (socket.setNoDelay) socket.setNoDelay();
    if (this._head.length > 0) socket.unshift(this._head);
    this._head = EMPTY_BUFFER;

    socket.on('data', this._onData);
    this._onEnd = () => this.onEnd();
    this._onError = () => {
      socket.removeListener('error', this._onError);
      socket.on('error', NOOP);
      websocket[kOnSocketError]();
      socket.destroy();
    };
    this._onClose = () => this.onClose();
    socket.on('close', this._onClose);
    socket.on('end', this._onEnd);
    socket.on('error', this._onError);
    socket[kWebSocket] = websocket;
  }

  /** Counts bytes that came. `false` if nothing that the peer sends counts any more. */
  _takes(length) {
    if (this._isLimited) return false;
    const now = performance.now();
    if (this._throttle.takeBytes(length, now)) this._breakOff(2);
    else this._throttleIfDue(now);
    return !this._isLimited;
  }

  /** The same for a message, a ping or a pong. */
  _admits() {
    if (this._throttle === null) return true;
    if (this._isLimited) return false;
    const now = performance.now();
    if (this._throttle.takeMessage(now)) this._breakOff(1);
    else this._throttleIfDue(now);
    return !this._isLimited;
  }

  _throttleIfDue(now) {
    const until = this._throttle.stopsUntil(now);
    if (until === 0 || this._isOver) return;
    // Chunks that come are not taken, and then the socket is not read.
    this.receiver.hold(THROTTLED);
    this._limits.releaseAt(this, until);
  }

  /** Goes on when the limit allows it. */
  releaseThrottled() {
    this._release(THROTTLED);
  }

  /** Whether handlers are too busy for what comes. */
  setBlocked(on) {
    if (!on) this._release(BLOCKED);
    else if (!this._isOver) this.receiver.hold(BLOCKED);
  }

  // What was held back is not delivered to a WebSocket that was paused meanwhile.
  _release(reason) {
    if (this.websocket._paused && !this._isOver) this.receiver.hold(PAUSED);
    this.receiver.release(reason);
  }

  _breakOff(which) {
    this._isLimited = true;
    this._stopListening();
    this.websocket[kOnLimited](which);
  }

  /** The peer has finished its side. */
  onEnd() {
    this.receiver.end();
    this.websocket[kOnEnd]();
  }

  /** Nothing that comes now counts; read on to notice the end. */
  _stopListening() {
    const { socket } = this;
    socket.removeListener('data', this._onData);
    if (socket[kWebSocket] !== undefined) process.nextTick(resumeSocket, socket);
  }

  /** The socket is closed. */
  onClose() {
    const { receiver, socket, websocket } = this;
    if (this._onClose !== null) {
      socket.removeListener('close', this._onClose);
      socket.removeListener('end', this._onEnd);
    }
    socket.removeListener('data', this._onData);
    if (this._limits !== null) this._limits.forget(this);
    if (this._backlog !== null) this._backlog.fail(destroyedError());
    websocket[kOnDisconnect]();
    // What came before the end is delivered.
    this._isOver = true;
    receiver.release(THROTTLED | BLOCKED | PAUSED);

    const { _readableState: readable } = socket;
    const unread = readable && !readable.endEmitted && readable.length > 0;
    if (unread && !websocket._closeFrameReceived && !receiver._writableState.errorEmitted) {
      // Destroying kept it from being read.
      receiver.write(socket.read(readable.length));
    }
    receiver.end();
    socket[kWebSocket] = undefined;

    const over = () => websocket[kOnGone]();
    const { errorEmitted, finished } = receiver._writableState;
    if (finished || errorEmitted) {
      over();
    } else {
      receiver.on('error', over);
      receiver.on('finish', over);
    }
  }

  frame(opcode, data, fin, mask, callback, compress) {
    if (this._backlog !== null) this._backlog.frame(opcode, data, fin, mask, callback, compress);
    else this.writeNow(opcode, data, fin, mask, callback, compress);
  }

  /** There is no reactor that could do it: what is published comes through `publish()`. */
  get passesByHand() {
    return true;
  }

  /** @return {Number} No lane */
  join() {
    return -1;
  }

  leave() {}

  leaveAll() {}

  /**
   * Queues a message that was published.
   *
   * @param {PreparedMessage} message
   */
  publish(message) {
    this.post(message);
  }

  /**
   * Queues a prepared message.
   *
   * @param {PreparedMessage} message
   * @param {Function} [callback] As of `frame()`
   */
  post(message, callback) {
    if (this._backlog !== null) this._backlog.post(message, callback);
    else this.postNow(message, callback);
  }

  /** Finishes our side once all is written. */
  end() {
    if (this._backlog !== null) this._backlog.end();
    else this.endNow();
  }

  writeNow(opcode, data, fin, mask, callback, compress) {
    this._counts.onFrame(opcode, data, fin);
    this.sender.passFrame(opcode, data, fin, mask, callback, compress);
  }

  postNow(message, callback) {
    this._counts.onPrepared(message);
    this.sender.publish(message, callback);
  }

  endNow() {
    this.sender.afterQueued(() => this.socket.end());
  }

  /** Bytes that wait, but for those in the backlog. */
  get encodedBytes() {
    return this.socket._writableState.length + this.sender._bufferedBytes;
  }

  /** Has the backlog go on when something was written that it did not give. */
  onceWritten() {
    if (this._awaitsRoom || this._isOver) return;
    this._awaitsRoom = true;
    const goOn = () => {
      this._awaitsRoom = false;
      this._backlog.pump();
    };
    if (this.socket._writableState.needDrain) this.socket.once('drain', goOn);
    else setTimeout(goOn, LOOK_AGAIN).unref();
  }

  /** Called by the backlog: more waits than may, or much less again. */
  onPressure(on, closes) {
    process.nextTick(tellPressure, this.websocket, on, closes);
  }

  /** Called by the backlog: messages are dropped, or a frame of one that is counted. */
  countDropped(policy, messages, bytes) {
    this._counts.onDropped(policy, messages, bytes);
  }

  /** Called by the backlog: messages were dropped. */
  onDropped(messages, bytes) {
    this.websocket[kOnDropped](messages, bytes);
  }

  /**
   * @param {Function} callback Called when our side is finished in order
   */
  onceFinished(callback) {
    if (this.socket._writableState.finished) callback();
    else this.socket.once('finish', callback);
  }

  /** Closes the socket at once. */
  destroy() {
    this.socket.destroy();
  }

  pause() {
    this.socket.pause();
  }

  resume() {
    this.receiver.release(PAUSED);
    if (!this.receiver._writableState.needDrain) this.socket.resume();
  }

  setBinaryType(type) {
    this.receiver.binaryType = type;
  }

  /** Bytes that were queued and not yet handed to the kernel. */
  get bufferedAmount() {
    const { _backlog: backlog } = this;
    const waiting = backlog === null ? 0 : backlog.bytes + backlog.heldBytes;
    return this.encodedBytes + waiting;
  }
}

function tellPressure(websocket, on, closes) {
  websocket[kOnBackpressure](on, closes);
}

function resumeSocket(socket) {
  socket.resume();
}

module.exports = StreamTransport;
