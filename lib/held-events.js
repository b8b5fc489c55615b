// Events that JavaScript does not want yet: held back by pause() and by
// `allowSynchronousEvents: false`.
//
// Owns: the order of events, one turn for each message of a stepped WebSocket, the
// bound on what is held. Used by native-transport.js. Runs on: js.
// INVARIANT: what is held counts: beyond a bound nothing is read for it.
// Tests: __test__/differential/messages.test.js, __test__/robustness.

'use strict';

const { layout } = require('./bridge');
const { Arriving } = require('./bridge/arriving');
const Queue = require('./queue');

const { EVENT_MESSAGE, EVENT_PING, EVENT_PONG, RECORD_COST } = layout;

// Events that get a turn of their own with `allowSynchronousEvents: false`.
const STEPS = new Set([EVENT_MESSAGE, EVENT_PING, EVENT_PONG]);

// Reading stops when so much is held (bytes, and RECORD_COST for each event), and goes on below.
const MOST = 256 * 1024;
const LEAST = 64 * 1024;

class HeldEvents {
  /**
   * @param {{deliver: Function, setReading: Function}} owner `deliver` is called with (tag, aux, data),
   *     `setReading` with whether there is room
   */
  constructor(owner) {
    this._owner = owner;
    /** What waits, or null while events pass. */
    this._queue = null;
    this._cost = 0;
    this._full = false;
    this._concluding = null;
    this.paused = false;
    /** Handlers are busy: nothing passes, and what comes keeps more from being read. */
    this.blocked = false;
    this.stepped = false;
    /** Nothing more will come: a paused WebSocket still gets what came before the end. */
    this.ending = false;
  }

  /** Whether an event of such a kind may pass now. `paused` is what counts in this turn. */
  passes(tag, paused) {
    return this._queue === null && !paused && !this.blocked && !(this.stepped && STEPS.has(tag));
  }

  /** Holds an event back. */
  hold(tag, aux, data) {
    if (this._queue === null) {
      this._queue = new Queue();
      if (data instanceof Arriving || (this.stepped && STEPS.has(tag))) setImmediate(deliver, this);
    }
    const cost = RECORD_COST + (typeof data === 'number' ? 0 : data.length);
    this._cost += cost;
    this._queue.push({ tag, aux, data, cost });
    if (!this._full && (this.blocked || this._cost > MOST) && !this.ending) {
      this._full = true;
      this._owner.setReading(false);
    }
  }

  /** Whether no room is left, so that reading has to wait for it. */
  get isFull() {
    return this._full;
  }

  /** Lets events pass again that handlers were too busy for. */
  unblock() {
    this.blocked = false;
    if (this._queue !== null) process.nextTick(deliver, this);
  }

  /** Lets events pass again, a tick later. */
  resume() {
    this.paused = false;
    if (this._queue !== null) process.nextTick(deliver, this);
  }

  /**
   * Calls back once everything is delivered; pausing holds nothing up any more.
   *
   * @param {Function} callback
   */
  conclude(callback) {
    this.ending = true;
    this._concluding = callback;
    if (this._queue === null) this._end();
    else if (this.stepped) setImmediate(deliver, this);
    else deliver(this);
  }

  _end() {
    const { _concluding: concluding } = this;
    this._queue = null;
    this._concluding = null;
    if (concluding !== null) concluding();
  }

  /** All of it, or with `allowSynchronousEvents: false` one message, ping or pong a turn. */
  _run() {
    let stepped = false;
    while (this._queue !== null && ((!this.paused && !this.blocked) || this.ending)) {
      const next = this._queue.peek();
      if (next === undefined) {
        this._end();
      } else if (next.data instanceof Arriving && !this._complete(next)) {
        return;
      } else if (this.stepped && stepped && STEPS.has(next.tag)) {
        setImmediate(deliver, this);
        return;
      } else {
        stepped = true;
        this._queue.shift();
        this._release(next.cost);
        this._owner.deliver(next.tag, next.aux, next.data);
      }
    }
  }

  /** Whether a large message is complete; if not, events go on when it is. */
  _complete(event) {
    const { bytes } = event.data;
    if (bytes === null) event.data.onceComplete(() => deliver(this));
    else event.data = bytes;
    return bytes !== null;
  }

  _release(cost) {
    this._cost -= cost;
    if (this._full && this._cost < LEAST) {
      this._full = false;
      if (!this.ending) this._owner.setReading(true);
    }
  }
}

/** A listener that throws loses its own event only. */
function deliver(held) {
  let threw = true;
  try {
    held._run();
    threw = false;
  } finally {
    if (threw) setImmediate(deliver, held);
  }
}

module.exports = HeldEvents;
