// Receivers that wait because their peers sent what a second allows.
//
// Owns: one timer a server, and when each of them goes on. Used by limits.js. Runs on: js.

'use strict';

const { rootScope } = require('./bridge');

// How often is looked while some wait, in milliseconds.
const PERIOD = 20;

class HeldReceivers {
  constructor() {
    this._times = new Map();
    this._timer = null;
  }

  /**
   * @param {StreamTransport} transport
   * @param {Number} time As `performance.now()` tells it
   */
  releaseAt(transport, time) {
    this._times.set(transport, time);
    if (this._timer !== null) return;
    // In no asynchronous context: it is everybody's. Connections keep the process alive.
    this._timer = rootScope.runInAsyncScope(() => setInterval(look, PERIOD, this).unref());
  }

  /** @param {StreamTransport} transport */
  forget(transport) {
    this._times.delete(transport);
    this._rest();
  }

  _rest() {
    if (this._times.size > 0 || this._timer === null) return;
    clearInterval(this._timer);
    this._timer = null;
  }
}

function look(held) {
  const now = performance.now();
  for (const [transport, time] of held._times) {
    if (now < time) continue;
    held._times.delete(transport);
    transport.releaseThrottled();
  }
  held._rest();
}

module.exports = HeldReceivers;
