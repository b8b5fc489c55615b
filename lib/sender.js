// Sends frames on a socket that stays with Node.
//
// Owns: the order of what is written, fragmentation state. Used by
// stream-transport.js and exported; engine.io and others call `sendFrame()` and
// `Sender.frame()`. Runs on: js. Tests: __test__/stream.

'use strict';

const { Buffer } = require('buffer');

const { BlobGate, isBlob } = require('./blob-gate');
const { NOOP, OPCODES } = require('./constants');
const { buildFrame } = require('./frame');
const { byteLengthOf, closePayload, checkControlPayload, toBuffer } = require('./send-data');

const { CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG } = OPCODES;

const [DEFAULT, GET_BLOB_DATA] = [0, 2];

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
    this._gate = new BlobGate(
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

  /** 0, or 2 while a Blob is being read. */
  get _state() {
    return this._gate.isShut ? GET_BLOB_DATA : DEFAULT;
  }

  /** Bytes that wait for a Blob. */
  get _bufferedBytes() {
    return this._gate.bytes;
  }

  get _queue() {
    return this._gate._queue;
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
  send(data, { binary, fin, mask }, callback) {
    const opcode = !this._firstFragment ? CONTINUATION : binary ? BINARY : TEXT;
    const payload = typeof data === 'string' || isBlob(data) ? data : toBuffer(data);
    this._firstFragment = Boolean(fin);
    this.writeFrame(opcode, payload, fin, mask, callback);
  }

  /**
   * Queues a frame.
   *
   * @param {Number} opcode
   * @param {(String|Buffer|Blob)} data
   * @param {Boolean} fin
   * @param {Boolean} mask
   * @param {Function} [callback]
   */
  writeFrame(opcode, data, fin, mask, callback) {
    if (isBlob(data)) {
      const send = (bytes) => this._write(opcode, bytes, fin, mask, callback);
      this._gate.read(data, send, callback);
    } else if (this._gate.isShut) {
      const send = () => this._write(opcode, data, fin, mask, callback);
      this._gate.wait(byteLengthOf(data), send, callback);
    } else {
      this._write(opcode, data, fin, mask, callback);
    }
  }

  /** Runs something after all that was queued. */
  afterQueued(act) {
    if (this._gate.isShut) this._gate.wait(0, act);
    else act();
  }

  _write(opcode, data, fin, mask, callback) {
    const options = {
      fin,
      generateMask: this._generateMask,
      join: this.joins,
      mask,
      maskBuffer: this._maskBuffer,
      opcode,
      // What a user gave must not be masked in place; texts and close payloads are ours.
      readOnly: typeof data !== 'string' && opcode !== CLOSE,
      rsv1: false
    };
    const length = typeof data === 'string' ? Buffer.byteLength(data) : undefined;
    this.sendFrame(buildFrame(data, options, length), callback);
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

module.exports = Sender;
