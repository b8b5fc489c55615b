// Keeps what is sent in order while something takes its time: a Blob is being
// read, a message is being compressed.
//
// Owns: the queue behind it and the failure of all that is in it. Used by
// sender.js and native-transport.js. Runs on: js.

'use strict';

const { Buffer } = require('buffer');

const { NOOP } = require('./constants');
const { CLOSED_WHILE_COMPRESSING } = require('./errors');
const Queue = require('./queue');

const CLOSED_WHILE_READING = 'The socket was closed while the blob was being read';

/** What a gate waits for; ws's numbers. */
const GATE_STATES = { OPEN: 0, DEFLATING: 1, READING_BLOB: 2 };

/**
 * Whether a value is a Blob or a File, of whatever implementation.
 *
 * @param {*} value
 * @return {Boolean}
 */
function isBlob(value) {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof value.arrayBuffer === 'function' &&
    typeof value.type === 'string' &&
    typeof value.stream === 'function' &&
    (value[Symbol.toStringTag] === 'Blob' || value[Symbol.toStringTag] === 'File')
  );
}

class SendGate {
  /**
   * @param {Function} isClosed Whether nothing can be sent any more
   * @param {Function} onError Called with the error of a Blob that could not be read
   * @param {Function} [onOpen] Called when nothing waits any more
   */
  constructor(isClosed, onError, onOpen = NOOP) {
    this._isClosed = isClosed;
    this._onError = onError;
    this._onOpen = onOpen;
    this.queue = new Queue();
    this.state = GATE_STATES.OPEN;
    // Bytes that wait here.
    this.bytes = 0;
  }

  /** @type {Boolean} */
  get isShut() {
    return this.state !== GATE_STATES.OPEN;
  }

  /**
   * Reads a Blob, then lets it and what came after it go on.
   *
   * @param {Blob} blob
   * @param {Function} send Called with the bytes
   * @param {Function} [callback] Called with an error if it comes to nothing
   */
  read(blob, send, callback) {
    if (this.isShut) {
      this.wait(blob.size, () => this.read(blob, send, callback), callback);
      return;
    }
    this.state = GATE_STATES.READING_BLOB;
    this.bytes += blob.size;
    // Outside of the promise, where an exception would be taken for a rejection.
    blob.arrayBuffer().then(
      (bytes) => {
        if (this._isClosed()) {
          process.nextTick(fail, this, new Error(CLOSED_WHILE_READING), callback);
        } else {
          process.nextTick(pass, this, blob.size, send, Buffer.from(bytes));
        }
      },
      (error) => {
        process.nextTick(() => {
          fail(this, error, callback);
          this._onError(error);
        });
      }
    );
  }

  /**
   * Compresses data, then lets it and what came after it go on. The gate is open.
   *
   * @param {Number} bytes
   * @param {Function} compress Called with a function to call when it is done, with the result
   * @param {Function} send Called with the result
   * @param {Function} [callback] Called with an error if it comes to nothing
   */
  compress(bytes, compress, send, callback) {
    this.state = GATE_STATES.DEFLATING;
    this.bytes += bytes;
    compress((result) => {
      if (this._isClosed()) fail(this, new Error(CLOSED_WHILE_COMPRESSING), callback);
      else pass(this, bytes, send, result);
    });
  }

  /**
   * Queues something behind what the gate waits for.
   *
   * @param {Number} bytes
   * @param {Function} send
   * @param {Function} [callback] Called with an error if it comes to nothing
   */
  wait(bytes, send, callback) {
    this.bytes += bytes;
    this.queue.push({ bytes, send, callback });
  }

  _release() {
    while (!this.isShut && this.queue.length > 0) {
      const { bytes, send } = this.queue.shift();
      this.bytes -= bytes;
      send();
    }
    if (!this.isShut) this._onOpen();
  }
}

function pass(gate, bytes, send, result) {
  gate.bytes -= bytes;
  gate.state = GATE_STATES.OPEN;
  send(result);
  gate._release();
}

function fail(gate, error, callback) {
  const { queue } = gate;
  gate.queue = new Queue();
  gate.state = GATE_STATES.OPEN;
  if (typeof callback === 'function') callback(error);
  while (queue.length > 0) {
    const queued = queue.shift();
    if (typeof queued.callback === 'function') queued.callback(error);
  }
  if (!gate.isShut) gate._onOpen();
}

module.exports = { SendGate, isBlob };
