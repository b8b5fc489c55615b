// When connections that are gone are concluded: at the end of the event loop's
// iteration, where Node closes sockets, and in Node's order.
//
// Owns: who waits for it. COMPAT(ws 8.23): libuv calls back for handles that are
// closed in one iteration in reverse order; a peer hears of it an iteration later,
// where a reactor may have seen both. Used by native-transport.js. Runs on: js.
// Tests: __test__/differential/order.test.js.

'use strict';

const { takeStores } = require('./bridge');

const makePhase = () => ({ own: [], peers: [] });
const isEmpty = ({ own, peers }) => own.length + peers.length === 0;

// Those that were gone before the phase began, and those that came since.
let due = makePhase();
let next = makePhase();

/**
 * Calls back at the end of the iteration, with a turn of its own.
 *
 * @param {AsyncResource} scope The asynchronous context to call back in
 * @param {Boolean} isOwn Whether JavaScript closed the connection
 * @param {Function} callback
 * @param {...*} args Of the callback
 */
function atEndOfIteration(scope, isOwn, callback, ...args) {
  (isOwn ? next.own : next.peers).push({ scope, callback, args });
  // One for each: Node runs ticks and microtasks between immediates.
  setImmediate(runOne);
}

function runOne() {
  if (isEmpty(due)) [due, next] = [next, due];
  const { scope, callback, args } = due.own.pop() || due.peers.pop();
  try {
    scope.runInAsyncScope(callback, null, ...args);
  } finally {
    // Nothing follows on that connection.
    takeStores();
  }
}

module.exports = { atEndOfIteration };
