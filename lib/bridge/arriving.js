// A message so large that copying it into JavaScript's memory in one go would make
// other connections wait: it arrives a slice an iteration of the event loop.
//
// Owns: the memory that the message will have. Made by arrivals.js, waited for by
// ../held-events.js. Runs on: js. Tests: __test__/api/large-messages.test.js.

'use strict';

const { Buffer } = require('buffer');

const FastBuffer = Buffer[Symbol.species];

// From here on a message is copied in slices.
const LARGE = 4 * 1024 * 1024;
const SLICE = 1024 * 1024;

class Arriving {
  /** @param {HeldBlock} block The bytes */
  constructor(block) {
    this._block = block;
    this._at = 0;
    this._whenComplete = null;
    this.length = block.length;
    // Pages of a fresh ArrayBuffer are made when they are written to.
    this._bytes = new FastBuffer(new ArrayBuffer(block.length), 0, block.length);
    setImmediate(step, this);
  }

  /** @type {?Buffer} The message, null while it is not complete */
  get bytes() {
    return this._block === null ? this._bytes : null;
  }

  /** @param {Function} callback Called once, when the message is complete */
  onceComplete(callback) {
    this._whenComplete = callback;
  }
}

function step(arriving) {
  const { _at: at, _block: block } = arriving;
  const count = Math.min(SLICE, arriving.length - at);
  block.copyInto(arriving._bytes.subarray(at, at + count), at);
  arriving._at += count;
  if (arriving._at < arriving.length) {
    setImmediate(step, arriving);
    return;
  }
  block.release();
  arriving._block = null;
  if (arriving._whenComplete !== null) arriving._whenComplete();
}

module.exports = { Arriving, LARGE };
