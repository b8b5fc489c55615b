// Bounds how many zlib operations of the stream transport run at a time: each
// one takes memory and a thread of libuv's pool. Runs on: js.

'use strict';

const Queue = require('./queue');

class Limiter {
  /** @param {Number} [most=Infinity] Jobs that may run at a time */
  constructor(most) {
    this.most = most || Infinity;
    this.running = 0;
    this._queue = new Queue();
  }

  /**
   * Runs a job now or when its turn comes.
   *
   * @param {Function} job Called with a function to call when it is done
   */
  add(job) {
    this._queue.push(job);
    this._run();
  }

  _run() {
    if (this.running === this.most || this._queue.length === 0) return;
    this.running++;
    this._queue.shift()(() => {
      this.running--;
      this._run();
    });
  }
}

module.exports = Limiter;
