// The heartbeats of connections that stay with Node: a reactor has its own.
//
// Owns: one interval a server and what is known of each peer. Used by limits.js.
// Runs on: js. INVARIANT: at most one ping of ours is unanswered.
// Tests: __test__/operations/heartbeat.test.js.

'use strict';

const { rootScope } = require('./bridge');
const { EMPTY_BUFFER, OPCODES } = require('./constants');

const OPEN = 1;
// How finely time is divided: a deadline is noticed so much of the shorter time later at most.
const PARTS = 8;

class Heartbeats {
  /** @param {{interval: Number, timeout: Number}} heartbeat In milliseconds */
  constructor({ interval, timeout }) {
    this._interval = interval;
    this._timeout = timeout;
    this._pulses = new Map();
    this._timer = null;
  }

  /** @param {StreamTransport} transport */
  add(transport) {
    this._pulses.set(transport, {
      heard: performance.now(),
      asked: 0,
      progress: progressOf(transport)
    });
    if (this._timer !== null) return;
    const period = Math.ceil(Math.min(this._interval, this._timeout) / PARTS);
    // In no asynchronous context: it is everybody's. Connections keep the process alive.
    this._timer = rootScope.runInAsyncScope(() => setInterval(look, period, this).unref());
  }

  /** @param {StreamTransport} transport */
  remove(transport) {
    this._pulses.delete(transport);
    if (this._pulses.size > 0) return;
    clearInterval(this._timer);
    this._timer = null;
  }

  _look(transport, pulse, now) {
    const progress = progressOf(transport);
    if (transport.touched || progress !== pulse.progress || hasUnread(transport)) {
      transport.touched = false;
      pulse.progress = progress;
      pulse.heard = now;
      pulse.asked = 0;
    } else if (pulse.asked > 0) {
      if (now - pulse.asked >= this._timeout) transport.destroy();
    } else if (now - pulse.heard >= this._interval) {
      pulse.asked = now;
      transport.frame(OPCODES.PING, EMPTY_BUFFER, true, false);
      // What was sent just now is no sign of the peer.
      pulse.progress = progressOf(transport);
    }
  }
}

function look(heartbeats) {
  const now = performance.now();
  for (const [transport, pulse] of heartbeats._pulses) {
    // The closing handshake has its own time, and no frame may follow its first one.
    if (transport.websocket._readyState === OPEN) heartbeats._look(transport, pulse, now);
  }
}

/** Bytes that moved: what is read by Node, or leaves its queue, tells of the peer, too. */
function progressOf({ socket }) {
  return (socket.bytesRead || 0) - (socket.writableLength || 0);
}

/** Whether it is we who do not read. */
function hasUnread({ receiver, socket }) {
  return socket.readableLength > 0 || receiver._writableState.needDrain;
}

module.exports = Heartbeats;
