// What the live counters show.

'use strict';

const counters = {
  connections: 0,
  received: 0,
  sent: 0,

  /** Counts a connection while it is open, and keeps its errors from ending the demo. */
  track(ws) {
    counters.connections++;
    ws.on('close', () => counters.connections--);
    // A peer that breaks the protocol is closed by the library; there is nothing left to do.
    ws.on('error', () => {});
  }
};

module.exports = counters;
