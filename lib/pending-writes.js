// Callbacks that wait for bytes to be written, in the asynchronous context of their
// send(). Used by native-transport.js. Runs on: js.

'use strict';

const { AsyncResource } = require('async_hooks');
const { Writable } = require('stream');

const { CLOSED_WHILE_COMPRESSING, cutOffErrors } = require('./errors');
const Queue = require('./queue');

const kOwn = Symbol('kOwn');
// In the place of a callback whose message was dropped.
const DROPPED = null;

// What Node's streams tell a callback of a write that succeeded: null, or nothing in some versions.
let success = null;
new Writable({ write: (chunk, encoding, callback) => callback() }).write('', (error) => {
  success = error;
});

/**
 * Marks a callback as one of our own: it needs no context, and no object for it.
 *
 * @param {Function} callback
 * @return {Function} The same
 */
function ownCallback(callback) {
  callback[kOwn] = true;
  return callback;
}

/** Somebody's callback. */
class PendingWrite extends AsyncResource {
  constructor(callback, isCompressing) {
    super('FERROWS_WRITE');
    this.callback = callback;
    this.isCompressing = isCompressing;
  }
}

function complete(write) {
  if (typeof write === 'function') write();
  else write.runInAsyncScope(write.callback, undefined, success);
}

function tellLater(write, error) {
  if (typeof write === 'function') process.nextTick(write, error);
  else write.runInAsyncScope(process.nextTick, undefined, write.callback, error);
}

class PendingWrites {
  constructor() {
    this._queue = new Queue();
    this._due = 0;
    // How many have left the queue.
    this._taken = 0;
    // How many in it were dropped.
    this._dropped = 0;
    this._isOver = false;
  }

  /**
   * @param {Function} callback Called with null or undefined, or with an error
   * @param {Boolean} isCompressing Whether the bytes have to be compressed first
   */
  add(callback, isCompressing) {
    this._queue.push(
      callback[kOwn] === true ? callback : new PendingWrite(callback, isCompressing)
    );
  }

  /**
   * Calls the next callbacks; one that throws does not cost the others their turn.
   *
   * @param {Number} count
   */
  complete(count) {
    // Told before already, by `giveUp()`.
    if (this._isOver) return;
    this._due += count;
    this._run();
  }

  _run() {
    try {
      while (this._due > 0) {
        const write = this._take();
        if (write === DROPPED) continue;
        this._due--;
        complete(write);
      }
    } finally {
      if (this._due > 0) process.nextTick(run, this);
    }
  }

  /**
   * Calls the last ones with an error, a tick later. Those before them are written, and the news of
   * it may still be on its way.
   *
   * @param {Number} count How many will never be written
   * @param {?Error} cause As in `fail()`
   */
  giveUp(count, cause) {
    let written = this._queue.length - this._dropped - count;
    this._isOver = true;
    while (written > 0) {
      const write = this._take();
      if (write === DROPPED) continue;
      written--;
      tellLater(write, success);
    }
    this.fail(cause);
  }

  /**
   * Calls all of them with an error, a tick later.
   *
   * @param {?Error} cause What ended the connection, null if it was closed on purpose
   */
  fail(cause) {
    const { first, others } = cutOffErrors(cause);
    let error = first;
    this._due = 0;
    while (this._queue.length > 0) {
      const write = this._take();
      if (write === DROPPED) continue;
      // COMPAT(ws 8.23): what waits for a compression, and what is behind it, has no other cause.
      if (write.isCompressing === true) error = new Error(CLOSED_WHILE_COMPRESSING);
      tellLater(write, error);
      if (error === first) error = others;
    }
  }

  _take() {
    const write = this._queue.shift();
    this._taken++;
    if (write === DROPPED) this._dropped--;
    return write;
  }

  /**
   * Calls one with an error, a tick later: it will not be completed.
   *
   * @param {Number} number How many were added before, modulo 2^32
   * @param {Error} error
   */
  drop(number, error) {
    const place = (number - this._taken) >>> 0;
    if (place >= this._queue.length) return;
    this._dropped++;
    tellLater(this._queue.replace(place, DROPPED), error);
  }
}

function run(writes) {
  writes._run();
}

module.exports = { PendingWrites, ownCallback };
