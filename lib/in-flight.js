// Handlers of messages that have begun and not ended: how many promises of theirs are pending.
//
// Owns: calling the listeners for 'message' of a WebSocket whose server limits that, in the
// place of emit(), which returns nothing. Used by websocket.js. Runs on: js.
// Tests: __test__/operations/in-flight.test.js.

'use strict';

const EventEmitter = require('events');

const { resultsOf } = require('./event-target');

const { emit: genuine } = EventEmitter.prototype;
const REJECTION = Symbol.for('nodejs.rejection');

/**
 * Counts from now on.
 *
 * @param {WebSocket} websocket
 * @param {Number} most
 * @param {Function} setBlocked Called with whether no message may be delivered
 */
function countInFlight(websocket, most, setBlocked) {
  let pending = 0;
  const begin = () => {
    if (++pending === most) setBlocked(true);
  };
  const end = () => {
    if (pending-- === most) setBlocked(false);
  };
  const emit = function (event, ...args) {
    const inherited = Object.getPrototypeOf(this).emit;
    // A class that has its own calls the listeners itself.
    if (event !== 'message' || inherited !== genuine) return inherited.call(this, event, ...args);
    const listeners = this.rawListeners(event);
    for (const listener of listeners) {
      for (const result of resultsOf(() => Reflect.apply(listener, this, args))) {
        if (!isThenable(result)) continue;
        begin();
        follow(this, result, args, end);
      }
    }
    return listeners.length > 0;
  };
  // On the object, so that whoever wraps `websocket.emit` wraps this.
  Object.defineProperty(websocket, 'emit', { configurable: true, value: emit, writable: true });
}

function isThenable(value) {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof value.then === 'function'
  );
}

/** What rejects is reported as it would be without us. */
function follow(websocket, promise, args, end) {
  if (capturesRejections(websocket)) {
    promise.then(end, (error) => {
      end();
      process.nextTick(reportRejection, websocket, error, args);
    });
    return;
  }
  promise.then(end, (error) => {
    end();
    throw error;
  });
}

// Node keeps it under a symbol of its own.
function capturesRejections(websocket) {
  const symbols = Object.getOwnPropertySymbols(websocket);
  const capture = symbols.find((symbol) => symbol.description === 'kCapture');
  return capture !== undefined && websocket[capture] === true;
}

function reportRejection(websocket, error, args) {
  if (typeof websocket[REJECTION] === 'function') websocket[REJECTION](error, 'message', ...args);
  else websocket.emit('error', error);
}

module.exports = countInFlight;
