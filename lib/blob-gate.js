// Keeps what is sent in order while a Blob is being read.
//
// Owns: the queue behind the Blob and the failure of all that is in it. Used by
// sender.js and native-transport.js. Runs on: js.

'use strict';

const { Buffer } = require('buffer');

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

class BlobGate {
  /**
   * @param {Function} isClosed Whether nothing can be sent any more
   * @param {Function} onError Called with the error of a Blob that could not be read
   */
  constructor(isClosed, onError) {
    this._isClosed = isClosed;
    this._onError = onError;
    this._queue = [];
    this.isShut = false;
    // Bytes that wait here.
    this.bytes = 0;
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
    this.isShut = true;
    this.bytes += blob.size;
    blob.arrayBuffer().then(
      (bytes) => {
        if (this._isClosed()) {
          const error = new Error('The socket was closed while the blob was being read');
          process.nextTick(fail, this, error, callback);
          return;
        }
        // Outside of the promise, where an exception would be taken for a rejection.
        process.nextTick(pass, this, blob.size, send, Buffer.from(bytes));
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
   * Queues something behind the Blob.
   *
   * @param {Number} bytes
   * @param {Function} send
   * @param {Function} [callback] Called with an error if it comes to nothing
   */
  wait(bytes, send, callback) {
    this.bytes += bytes;
    this._queue.push({ bytes, send, callback });
  }

  _release() {
    while (!this.isShut && this._queue.length > 0) {
      const { bytes, send } = this._queue.shift();
      this.bytes -= bytes;
      send();
    }
  }
}

function pass(gate, size, send, bytes) {
  gate.bytes -= size;
  gate.isShut = false;
  send(bytes);
  gate._release();
}

function fail(gate, error, callback) {
  const queue = gate._queue;
  gate._queue = [];
  gate.isShut = false;
  if (typeof callback === 'function') callback(error);
  for (const queued of queue) {
    if (typeof queued.callback === 'function') queued.callback(error);
  }
}

module.exports = { BlobGate, isBlob };
