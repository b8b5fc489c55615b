// Sends frames on a socket that stays with Node.
//
// Owns: the order of what is written, fragmentation state. Used by
// stream-transport.js and exported; engine.io and others call `sendFrame()` and
// `Sender.frame()`. Runs on: js. Tests: __test__/stream.

'use strict';

const { Buffer } = require('buffer');

const Queue = require('./queue');
const { SendGate, isBlob } = require('./send-gate');
const { NOOP, OPCODES, PERMESSAGE_DEFLATE } = require('./constants');
const { directions } = require('./compression');
const { LONGEST_SHORT, buildFrame, buildShort } = require('./frame');
const { byteLengthOf, closePayload, checkControlPayload, toBuffer } = require('./send-data');

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = OPCODES;

class Sender {
  /**
   * @param {Duplex} socket
   * @param {Object} [extensions] By name
   * @param {Function} [generateMask] Fills the 4-byte Buffer that it is given with a masking key
   */
  constructor(socket, extensions, generateMask) {
    this._extensions = extensions || {};
    this._generateMask = generateMask;
    this._maskBuffer = generateMask ? Buffer.alloc(4) : undefined;
    this._socket = socket;
    this._firstFragment = true;
    // Whether the message in progress is compressed.
    this._compress = false;
    // Whether a message in fragments is not complete, and what was published meanwhile.
    this._isWithinMessage = false;
    this._published = new Queue();
    this._publishedBytes = 0;
    this._gate = new SendGate(
      () => Boolean(socket.destroyed),
      (error) => this.onerror(error)
    );
    /** Whether short frames are written at once and not as header and payload. */
    this.joins = false;
    /** Called with an error that ends the connection. */
    this.onerror = NOOP;
  }

  /**
   * Builds a frame.
   *
   * @param {(String|Buffer)} data
   * @param {{fin: Boolean, generateMask: Function, mask: Boolean, maskBuffer: Buffer, opcode: Number,
   *     readOnly: Boolean, rsv1: Boolean}} options
   * @return {Buffer[]} The header, or the whole frame, and perhaps the payload
   */
  static frame(data, options) {
    return buildFrame(data, options);
  }

  /** 0, 1 while a message is being compressed, 2 while a Blob is being read. */
  get _state() {
    return this._gate.state;
  }

  /** Bytes that wait for a Blob, a compression or the end of a message in fragments. */
  get _bufferedBytes() {
    return this._gate.bytes + this._publishedBytes;
  }

  get _queue() {
    return this._gate.queue;
  }

  /**
   * Sends a close frame.
   *
   * @param {Number} [code]
   * @param {(String|Uint8Array)} [data] The reason
   * @param {Boolean} [mask]
   * @param {Function} [callback]
   * @throws {TypeError|RangeError}
   */
  close(code, data, mask, callback) {
    this.writeFrame(CLOSE, closePayload(code, data), true, mask, callback);
  }

  /**
   * Sends a ping.
   *
   * @param {*} data
   * @param {Boolean} [mask]
   * @param {Function} [callback]
   * @throws {RangeError}
   */
  ping(data, mask, callback) {
    this.writeFrame(PING, checkControlPayload(data), true, mask, callback);
  }

  /**
   * Sends a pong.
   *
   * @param {*} data
   * @param {Boolean} [mask]
   * @param {Function} [callback]
   * @throws {RangeError}
   */
  pong(data, mask, callback) {
    this.writeFrame(PONG, checkControlPayload(data), true, mask, callback);
  }

  /**
   * Sends a message or a fragment of one.
   *
   * @param {*} data
   * @param {{binary: Boolean, compress: Boolean, fin: Boolean, mask: Boolean}} options
   * @param {Function} [callback]
   */
  send(data, { binary, compress, fin, mask }, callback) {
    const opcode = !this._firstFragment ? CONTINUATION : binary ? BINARY : TEXT;
    const payload = typeof data === 'string' || isBlob(data) ? data : toBuffer(data);
    this._firstFragment = Boolean(fin);
    this.writeFrame(opcode, payload, fin, mask, callback, compress);
  }

  /**
   * Sends data as ws's own methods do among themselves.
   *
   * @param {(Buffer|String|Blob)} data
   * @param {Boolean} compress
   * @param {{fin: Boolean, mask: Boolean, opcode: Number}} options
   * @param {Function} [callback]
   */
  dispatch(data, compress, { fin, mask, opcode }, callback) {
    this.writeFrame(opcode, data, fin, mask, callback, compress);
  }

  /** As `dispatch()`, of a Blob. */
  getBlobData(blob, compress, options, callback) {
    this.dispatch(blob, compress, options, callback);
  }

  /** Calls a method of this Sender, `params[0]`, with the rest of `params` behind what waits. */
  enqueue(params) {
    const [method, ...args] = params;
    this.afterQueued(() => Reflect.apply(method, this, args));
  }

  /** Nothing to do: what waits goes on by itself. */
  dequeue() {}

  /**
   * Queues a frame by the public method for it, which somebody may have replaced. As `writeFrame()`.
   */
  passFrame(opcode, data, fin, mask, callback, compress) {
    const { close, ping, pong, send } = this;
    if (opcode <= BINARY && send !== OWN.send) {
      this._firstFragment = opcode !== CONTINUATION;
      this.send(data, { binary: opcode === BINARY, compress, fin, mask }, callback);
    } else if (opcode === PING && ping !== OWN.ping) {
      this.ping(data, mask, callback);
    } else if (opcode === PONG && pong !== OWN.pong) {
      this.pong(data, mask, callback);
    } else if (opcode === CLOSE && close !== OWN.close) {
      const code = data.length === 0 ? undefined : data.readUInt16BE(0);
      this.close(code, data.toString('utf8', 2), mask, callback);
    } else {
      this.writeFrame(opcode, data, fin, mask, callback, compress);
    }
  }

  /**
   * Queues a frame.
   *
   * @param {Number} opcode
   * @param {(String|Buffer|Blob)} data
   * @param {Boolean} fin
   * @param {Boolean} mask
   * @param {Function} [callback]
   * @param {Boolean} [compress] For the first frame of a message: whether to compress the message
   */
  writeFrame(opcode, data, fin, mask, callback, compress) {
    this._queueFrame(opcode, data, fin, mask, callback, compress);
    if (opcode > BINARY) return;
    this._isWithinMessage = !fin;
    while (!this._isWithinMessage && this._published.length > 0) {
      const [message, whenWritten] = this._published.shift();
      this._publishedBytes -= message.data.length;
      this.publish(message, whenWritten);
    }
  }

  /**
   * Queues a message that was published, behind the fragments of one in progress.
   *
   * @param {PreparedMessage} message
   * @param {Function} [callback]
   */
  publish(message, callback) {
    const { opcode, data, compress } = message;
    if (this._isWithinMessage) {
      this._published.push([message, callback]);
      this._publishedBytes += data.length;
    } else if (!compress || !this._compresses(data)) {
      const write = () => this._socket.write(message.frame, callback);
      if (this._gate.isShut) this._gate.wait(data.length, write, callback);
      else write();
    } else {
      const { [PERMESSAGE_DEFLATE]: extension } = this._extensions;
      const { takeover, windowBits } = directions(extension.params, extension._isServer).deflate;
      if (takeover) {
        this._queueFrame(opcode, data, true, false, callback, true);
        return;
      }
      const write = () => this._writeDeflated(message, extension, windowBits, callback);
      if (this._gate.isShut) this._gate.wait(data.length, write, callback);
      else write();
    }
  }

  _writeDeflated(message, extension, windowBits, callback) {
    this._gate.compress(
      message.data.length,
      (done) => message.deflate(extension, windowBits, done),
      (frame) => {
        // Without one the connection is over.
        if (frame !== null) this._socket.write(frame, callback);
      },
      callback
    );
  }

  _queueFrame(opcode, data, fin, mask, callback, compress) {
    const isFirst = opcode === TEXT || opcode === BINARY;
    if (isFirst) this._compress = Boolean(compress) && this._compresses(data);
    const rsv1 = isFirst && this._compress;
    const deflates = rsv1 || (opcode === CONTINUATION && this._compress);
    if (!deflates && !this._gate.isShut && !isBlob(data)) {
      this._write(opcode, data, fin, mask, false, false, callback);
      return;
    }
    const write = deflates
      ? (payload) => this._deflate(opcode, payload, fin, mask, rsv1, callback)
      : (payload) => this._write(opcode, payload, fin, mask, false, false, callback);

    if (isBlob(data)) {
      this._gate.read(data, write, callback);
    } else if (this._gate.isShut) {
      this._gate.wait(byteLengthOf(data), () => write(data), callback);
    } else {
      write(data);
    }
  }

  /** Goes on behind what waits in another gate. */
  shareGate(gate) {
    this._gate = gate;
  }

  /**
   * Goes on with the fragments of a message that was begun elsewhere.
   *
   * @param {Boolean} isWithinMessage Whether there is one
   * @param {Boolean} isCompressed
   */
  continueMessage(isWithinMessage, isCompressed) {
    this._isWithinMessage = isWithinMessage;
    this._compress = isCompressed;
  }

  /** Whether a message that begins with these data is compressed. */
  _compresses(data) {
    const { [PERMESSAGE_DEFLATE]: extension } = this._extensions;
    if (!extension) return false;
    const { deflate } = directions(extension.params, extension._isServer);
    return deflate.takeover || byteLengthOf(data) >= extension._threshold;
  }

  _deflate(opcode, data, fin, mask, rsv1, callback) {
    const { [PERMESSAGE_DEFLATE]: extension } = this._extensions;
    this._gate.compress(
      byteLengthOf(data),
      (done) => extension.compress(data, fin, (error, result) => done(result)),
      (result) => this._write(opcode, result, fin, mask, rsv1, true, callback),
      callback
    );
  }

  /** Runs something after all that was queued. */
  afterQueued(act) {
    if (this._gate.isShut) this._gate.wait(0, act);
    else act();
  }

  _write(opcode, data, fin, mask, rsv1, isOurs, callback) {
    const length = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    if (!mask && this.joins && length <= LONGEST_SHORT && Sender.frame === OWN.frame) {
      // PERF: most frames that servers send.
      const first = opcode | (fin ? 0x80 : 0) | (rsv1 ? 0x40 : 0);
      this.sendFrame([buildShort(first, data, length)], callback);
      return;
    }
    const isReplaced = Sender.frame !== OWN.frame;
    const options = {
      fin,
      generateMask: this._generateMask,
      join: this.joins && !isReplaced,
      mask,
      maskBuffer: this._maskBuffer,
      opcode,
      // What a user gave must not be masked in place; texts and close payloads are ours, too.
      readOnly: typeof data !== 'string' && opcode !== CLOSE && !isOurs,
      rsv1
    };
    this.sendFrame(
      isReplaced ? Sender.frame(data, options) : buildFrame(data, options, length),
      callback
    );
  }

  /**
   * Writes a frame that is built already.
   *
   * @param {Array<Buffer|String>} list
   * @param {Function} [callback]
   */
  sendFrame(list, callback) {
    const { _socket: socket } = this;
    if (list.length === 2) {
      socket.cork();
      socket.write(list[0]);
      socket.write(list[1], callback);
      socket.uncork();
    } else {
      socket.write(list[0], callback);
    }
  }
}

// What somebody may put something else in the place of, as it is without that.
const { close, ping, pong, send } = Sender.prototype;
const OWN = { close, frame: Sender.frame, ping, pong, send };

module.exports = Sender;
