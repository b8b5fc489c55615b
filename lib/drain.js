// Emptying a server before it goes: close frames spread over a while, then the end for who stays.
//
// Owns: one drain, its timer, its promise. Used by websocket-server.js, which refuses upgrades
// meanwhile and tells of connections that are over. Runs on: js.
// Tests: __test__/operations/drain.test.js.

'use strict';

const { checkInteger, checkObject } = require('./option-checks');
const { closePayload } = require('./send-data');

const DEFAULTS = { code: 1001, reason: '', timeout: 10000, jitter: 0, retryAfter: undefined };
// Together they have to fit into a timer.
const MOST_MILLISECONDS = 2 ** 30;

/**
 * @param {Object} [given] See `DrainOptions` in index.d.ts
 * @return {Object}
 * @throws {TypeError|RangeError}
 */
function readDrain(given = {}) {
  const options = checkObject('options', given, DEFAULTS);
  checkInteger('code', options.code, 1000, 4999);
  closePayload(options.code, options.reason);
  checkInteger('timeout', options.timeout, 0, MOST_MILLISECONDS);
  checkInteger('jitter', options.jitter, 0, MOST_MILLISECONDS);
  if (options.retryAfter === undefined) {
    options.retryAfter = Math.max(1, Math.ceil((options.jitter + options.timeout) / 1000));
  }
  checkInteger('retryAfter', options.retryAfter, 0, MOST_MILLISECONDS);
  return options;
}

class Drain {
  /**
   * @param {Set<WebSocket>} connections Those that are open; the owner takes out what is over
   * @param {Object} options From `readDrain()`
   * @param {{close: Function, terminate: Function}} act What to do to a WebSocket
   */
  constructor(connections, options, act) {
    this._connections = connections;
    this._options = options;
    this._act = act;
    this._began = performance.now();
    this._timer = null;
    this._waiting = [];
    this._next = 0;
    this._terminated = new Set();
    this._result = { closed: 0, terminated: 0 };
    this._resolve = null;
    /** @type {Promise<{closed: Number, terminated: Number}>} */
    this.done = new Promise((resolve) => (this._resolve = resolve));
  }

  /** Seconds after which who was refused may try again. */
  get retryAfter() {
    return this._options.retryAfter;
  }

  begin() {
    const { jitter } = this._options;
    this._waiting = Array.from(this._connections, (websocket) => ({
      websocket,
      at: Math.random() * jitter
    })).sort((one, other) => one.at - other.at);
    this._run();
  }

  /** A connection is over, and no longer in the set. */
  onClosed(websocket) {
    if (this._terminated.delete(websocket)) this._result.terminated++;
    else this._result.closed++;
    if (this._connections.size === 0) this._finish();
  }

  _run() {
    const elapsed = performance.now() - this._began;
    const { jitter, timeout } = this._options;
    const deadline = jitter + timeout;
    while (this._next < this._waiting.length && this._waiting[this._next].at <= elapsed) {
      const { websocket } = this._waiting[this._next++];
      if (this._connections.has(websocket)) this._act.close(websocket);
    }
    if (this._connections.size === 0) {
      this._finish();
      return;
    }
    const next = this._next < this._waiting.length ? this._waiting[this._next].at : deadline;
    // A timer may come a part of a millisecond early.
    if (elapsed >= deadline) this._terminate();
    else this._timer = setTimeout(() => this._run(), Math.ceil(next - elapsed));
  }

  _terminate() {
    this._timer = null;
    for (const websocket of [...this._connections]) {
      this._terminated.add(websocket);
      this._act.terminate(websocket);
    }
  }

  _finish() {
    if (this._timer !== null) clearTimeout(this._timer);
    this._timer = null;
    this._waiting = [];
    this._resolve({ ...this._result });
  }
}

module.exports = { Drain, readDrain };
