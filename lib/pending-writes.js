// Callbacks that wait for bytes to be written, in the asynchronous context of their
// send(). Used by native-transport.js. Runs on: js.

'use strict';

const { AsyncResource } = require('async_hooks');

const { destroyedError } = require('./errors');
const Queue = require('./queue');

const kOwn = Symbol('kOwn');

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
  constructor(callback) {
    super('FERROWS_WRITE');
    this.callback = callback;
  }
}

function complete(write) {
  if (typeof write === 'function') write();
  else write.runInAsyncScope(write.callback);
}

function fail(write, error) {
  if (typeof write === 'function') process.nextTick(write, error);
  else write.runInAsyncScope(process.nextTick, undefined, write.callback, error);
}

class PendingWrites {
  constructor() {
    this._queue = new Queue();
    this._due = 0;
  }

  /** @param {Function} callback Called without an argument, or with an error */
  add(callback) {
    this._queue.push(callback[kOwn] === true ? callback : new PendingWrite(callback));
  }

  /**
   * Calls the next callbacks; one that throws does not cost the others their turn.
   *
   * @param {Number} count
   */
  complete(count) {
    this._due += count;
    this._run();
  }

  _run() {
    try {
      while (this._due > 0) {
        this._due--;
        complete(this._queue.shift());
      }
    } finally {
      if (this._due > 0) process.nextTick(run, this);
    }
  }

  /** Calls all of them with an error, a tick later. */
  fail() {
    this._due = 0;
    while (this._queue.length > 0) fail(this._queue.shift(), destroyedError());
  }
}

function run(writes) {
  writes._run();
}

module.exports = { PendingWrites, ownCallback };
