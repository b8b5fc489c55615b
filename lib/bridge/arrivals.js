// The events of a lane: read from its landing and handed to their owners.
//
// Owns: the cursor in the landing, the asynchronous context of each event, ticks
// between events of different connections. Runs on: js.
// INVARIANT: the cursor moves on before a handler runs: one that throws loses its own
// record only. Messages own their memory. Tests: __test__/process, __test__/api.

'use strict';

const { executionAsyncId } = require('async_hooks');
const { Buffer } = require('buffer');

const { emptyBuffer } = require('../constants');
const PreparedMessage = require('../topics/prepared-message');
const { Arriving, LARGE } = require('./arriving');
const layout = require('./layout');
const { rootScope, takeStores } = require('./root-scope');

const {
  COMMAND_RELEASE,
  EVENT_CLOSE,
  EVENT_DROPPED,
  EVENT_FRAGMENTS,
  EVENT_MESSAGE,
  EVENT_PING,
  EVENT_PONG,
  EVENT_PUBLISHED,
  EVENT_UPGRADE,
  FLAG_BINARY,
  FLAG_BLOCK,
  LANDING_BYTES,
  LANDING_RECORDS,
  PUBLISHED_COMPRESS,
  RECORD_WORDS,
  STATUS_DISPATCHING
} = layout;

// What Buffer.prototype.subarray() makes, without its checks.
const FastBuffer = Buffer[Symbol.species];
// Bits of word 0, flags in place.
const BLOCK_BIT = FLAG_BLOCK << 8;
const BINARY_BIT = FLAG_BINARY << 8;
const MORE_BIT = 0x80000000;

const HEAD_BYTES = LANDING_RECORDS * RECORD_WORDS * 4;
// Landings read per doorbell before timers and other I/O get their turn.
const FILLS_PER_DRAIN = 4;
// Up to here a loop is faster than a call to copy.
const LOOP_LIMIT = 16;

// With AsyncContextFrame a handler may change the context of a callback for what comes behind it there.
const HAS_FRAMES = Object.getOwnPropertySymbols(rootScope).some(({ description }) =>
  /context_frame$/.test(description)
);

const carriesInline = new Set([
  EVENT_FRAGMENTS,
  EVENT_PING,
  EVENT_PONG,
  EVENT_CLOSE,
  EVENT_DROPPED
]);

// What Node calls between two timers, too: ticks, microtasks and rejections. Other runtimes have
// no such thing and run them when the batch is over.
const runTicks =
  typeof process._tickCallback === 'function' ? process._tickCallback.bind(process) : () => {};

class Arrivals {
  /**
   * @param {Bridge} native
   * @param {Lane} lane
   * @param {Object} door Receives `onUpgrade(id, lane, slot, generation, head)`
   */
  constructor(native, lane, door) {
    const memory = native.landingMemory(lane.index);

    this._native = native;
    this._lane = lane;
    this._door = door;
    this._memory = memory;
    this._heads = new Uint32Array(memory, 0, HEAD_BYTES / 4);
    this._payloads = new Uint8Array(memory, HEAD_BYTES, LANDING_BYTES);
    this._cursor = 0;
    this._end = 0;
    this._read = 0;
    this._slot = -1;
    /** Whether handlers of this lane are running. */
    this.active = false;
  }

  /**
   * Handles events until none is left or the turn is over.
   *
   * @return {Boolean} Whether there may be more
   */
  drain() {
    // A tick between two events came here: they go on when it returns.
    if (this.active) return true;
    this.dispatch(0, false);
    for (let fills = 0; fills < FILLS_PER_DRAIN; fills++) {
      const drained = this._native.drain(this._lane.index);
      if (drained === 0) return false;
      this.dispatch(drained, false);
      if ((drained & MORE_BIT) === 0) return false;
    }
    return true;
  }

  /**
   * Hands records to their owners, each in the asynchronous context where it belongs.
   *
   * @param {Number} drained What a drain returned; 0 to go on after a handler that threw
   * @param {Boolean} inRoot Whether the context of rootScope has been entered
   */
  dispatch(drained, inRoot) {
    const { status } = this._lane;

    if (drained !== 0) {
      this._cursor = 0;
      this._end = (drained & ~MORE_BIT) * RECORD_WORDS;
      this._read = 0;
      this._slot = this._heads[1];
      status[STATUS_DISPATCHING] = 1;
    }
    this.active = true;
    try {
      while (this._cursor < this._end) {
        const slot = this._heads[this._cursor + 1];
        if (slot !== this._slot) {
          this._slot = slot;
          // In none of the scopes below: an unhandled rejection empties the stack of scopes.
          runTicks();
          if (inRoot) inRoot = !HAS_FRAMES && executionAsyncId() !== 0;
        }
        this._dispatchNext(inRoot);
      }
      status[STATUS_DISPATCHING] = 0;
    } finally {
      this.active = false;
    }
  }

  _endpointAt(at) {
    const endpoint = this._lane.endpoints[this._heads[at + 1]];
    if (endpoint === undefined || endpoint.generation !== this._heads[at + 2]) return null;
    return endpoint;
  }

  /** Handles what comes for one connection in a row. */
  _dispatchNext(inRoot) {
    const endpoint = this._endpointAt(this._cursor);
    const scope = endpoint === null ? rootScope : endpoint.scope;
    try {
      // PERF: entering a scope within a callback that has another one costs half a microsecond.
      if (inRoot && scope === rootScope) this._dispatchIn(scope);
      else scope.runInAsyncScope(this._dispatchIn, this, scope);
    } finally {
      // COMPAT(ws 8.23): what a handler enters for good is in force for its connection only.
      const own = takeStores();
      if (own !== null && endpoint !== null) endpoint.scope = own;
    }
  }

  // The events of one connection; another one may have had the slot before.
  _dispatchIn(scope) {
    const heads = this._heads;

    while (this._cursor < this._end && heads[this._cursor + 1] === this._slot) {
      const at = this._cursor;
      const endpoint = this._endpointAt(at);
      if ((endpoint === null ? rootScope : endpoint.scope) !== scope) return;
      this._cursor = at + RECORD_WORDS;

      const word = heads[at];
      const tag = word & 0xff;
      if (tag === EVENT_MESSAGE) {
        const payload = this._message(word, heads[at + 3]);
        if (endpoint !== null) endpoint.onMessage(payload, (word & BINARY_BIT) !== 0);
      } else if (carriesInline.has(tag)) {
        const payload = this._payload(word, heads[at + 3]);
        if (endpoint !== null) endpoint.onEvent(tag, word >>> 16, payload);
      } else if (tag === EVENT_PUBLISHED) {
        this._onPublished(word >>> 16, this._payload(word, heads[at + 3]));
      } else if (tag === EVENT_UPGRADE) {
        this._onUpgrade(word >>> 16, this._slot, heads[at + 2]);
      } else if (endpoint !== null) {
        endpoint.onEvent(tag, word >>> 16, heads[at + 3]);
      }
    }
  }

  // For several sockets that reactors do not have.
  _onPublished(aux, payload) {
    const topic = payload.readUInt32LE(0);
    const end = 8 + payload.readUInt32LE(4) * 8;
    const data = payload.subarray(end);
    const message = new PreparedMessage(aux & 0xff, data, (aux & PUBLISHED_COMPRESS) !== 0);
    for (let at = 8; at < end; at += 8) {
      const endpoint = this._lane.endpoints[payload.readUInt32LE(at)];
      if (endpoint === undefined || endpoint.generation !== payload.readUInt32LE(at + 4)) continue;
      endpoint.onPublished(message, topic);
    }
  }

  _onUpgrade(id, slot, generation) {
    const head = this._native.takeBlock(this._lane.index);
    if (!this._door.onUpgrade(id, this._lane, slot, generation, head)) {
      this._lane.command(COMMAND_RELEASE, slot, generation, 0);
    }
  }

  /** A message: its bytes, or an Arriving. */
  _message(word, length) {
    if ((word & BLOCK_BIT) === 0 || length < LARGE) return this._payload(word, length);
    return new Arriving(this._native.holdBlock(this._lane.index));
  }

  _payload(word, length) {
    if ((word & BLOCK_BIT) !== 0) return this._native.takeBlock(this._lane.index);
    if (length === 0) return emptyBuffer();
    const start = this._read;
    const copy = new FastBuffer(length);
    this._read = start + length;
    if (length <= LOOP_LIMIT) {
      for (let i = 0; i < length; i++) copy[i] = this._payloads[start + i];
    } else {
      copy.set(new Uint8Array(this._memory, HEAD_BYTES + start, length));
    }
    return copy;
  }
}

module.exports = Arrivals;
