// The door to the I/O workers: the only file that reads or writes records.
//
// Owns: the lanes of this module registry, the drain loop, the rules for
// submitting, and liveness (the process stays alive exactly while a resource
// is held and referenced). Runs on: js.
// INVARIANT: a record is written whole before COMMITTED is raised over it, and
// the slab is started over only after a submission.
// Tests: __test__/process, __test__/api.

'use strict';

const { AsyncResource } = require('async_hooks');
const { Buffer } = require('buffer');

const binding = require('./binding');
const { EMPTY_BUFFER } = require('./constants');

const layout = Object.fromEntries(binding.constants().map(({ name, value }) => [name, value]));

const {
  DRAIN_RECORDS,
  EVENT_CLOSE,
  EVENT_FRAGMENTS,
  EVENT_MESSAGE,
  EVENT_PING,
  EVENT_PONG,
  EVENT_UNLISTENED,
  EVENT_UPGRADE,
  FLAG_BINARY,
  FLAG_BLOCK,
  FLAG_COMPRESS,
  FLAG_MASK,
  INBOX_LONG_SLAB_BYTES,
  INBOX_SLAB_BYTES,
  INLINE_LIMIT,
  OUTBOX_INLINE_LIMIT,
  OUTBOX_SUBMIT_BYTES,
  RECORD_BYTES,
  RECORD_WORDS,
  STATUS_BUSY,
  STATUS_COMMITTED,
  STATUS_GENERATION,
  STATUS_PARKED,
  STATUS_SLOT,
  STATUS_WORDS,
  TABLE_CHUNK
} = layout;

// What Buffer.prototype.subarray() makes, without its checks.
const FastBuffer = Buffer[Symbol.species];
// Bits of word 0, flags in place.
const BLOCK_BIT = FLAG_BLOCK << 8;
const BINARY_BIT = FLAG_BINARY << 8;
// Frames that a worker makes other bytes of.
const REWRITTEN_BITS = (FLAG_COMPRESS | FLAG_MASK) << 8;
const MORE_BIT = 0x80000000;

// Batches handled per doorbell before timers and other I/O get their turn.
const FILLS_PER_DRAIN = 4;
// Payloads that are longer on average get longer slabs.
const LONG_PAYLOAD = 1024;
// How long process.exit() may wait for the workers to write, in milliseconds.
const EXIT_FLUSH_LIMIT = 200;
// A UTF-16 code unit takes at most three bytes of UTF-8.
const INLINE_CHARACTERS = Math.floor(OUTBOX_INLINE_LIMIT / 3);

const carriesInline = new Set([EVENT_FRAGMENTS, EVENT_PING, EVENT_PONG, EVENT_CLOSE]);

/**
 * The two directions between this thread and one worker.
 */
class Lane {
  constructor(index) {
    const memory = native.laneMemory(index);

    this.index = index;
    this.endpoints = [];
    this._status = new Int32Array(memory, 0, STATUS_WORDS);
    this._words = new Uint32Array(memory, STATUS_WORDS * 4);
    this._slab = Buffer.from(memory, STATUS_WORDS * 4);
    this._offset = 0;
    this._scheduled = false;
    this._tables = [];

    this._heads = new Uint32Array(DRAIN_RECORDS * RECORD_WORDS);
    this._cursor = 0;
    this._end = 0;
    this._payloads = EMPTY_BUFFER;
    this._memory = EMPTY_BUFFER.buffer;
    this._slabBytes = INBOX_SLAB_BYTES;
    this._read = 0;
  }

  /**
   * Writes a frame record.
   *
   * @param {Number} word The tag, flags and opcode, without the block flag
   * @param {Number} slot
   * @param {Number} generation
   * @param {(String|Uint8Array)} data
   * @return {Number} The length of the payload in bytes
   */
  write(word, slot, generation, data) {
    const offset = this._offset;
    const start = offset + RECORD_BYTES;
    let length;

    if (typeof data === 'string') {
      if (data.length > INLINE_CHARACTERS) data = Buffer.from(data);
      else length = this._slab.write(data, start);
    }
    if (length === undefined) {
      length = data.byteLength;
      if (length > OUTBOX_INLINE_LIMIT) {
        native.attach(this.index, data, (word & REWRITTEN_BITS) !== 0);
        this._commit(word | BLOCK_BIT, slot, generation, length, start);
        return length;
      }
      this._slab.set(data, start);
    }
    this._commit(word, slot, generation, length, (start + length + 3) & ~3);
    return length;
  }

  /**
   * Writes a record without a payload.
   *
   * @param {Number} word
   * @param {Number} slot
   * @param {Number} generation
   * @param {Number} argument
   */
  command(word, slot, generation, argument) {
    this._commit(word, slot, generation, argument, this._offset + RECORD_BYTES);
  }

  _commit(word, slot, generation, argument, end) {
    const words = this._words;
    const at = this._offset >> 2;

    words[at] = word;
    words[at + 1] = slot;
    words[at + 2] = generation;
    words[at + 3] = argument;
    this._offset = end;
    Atomics.store(this._status, STATUS_COMMITTED, end);

    if (end >= OUTBOX_SUBMIT_BYTES) {
      this.submit();
    } else if (!this._scheduled && !draining) {
      // A worker that sleeps is worth waking at once, a busy one will look again by itself.
      if (Atomics.load(this._status, STATUS_PARKED) === 1) {
        this.submit();
      } else {
        this._scheduled = true;
        process.nextTick(submitScheduled, this);
      }
    }
  }

  /** Passes on what was written so far. */
  submit() {
    if (this._offset === 0) return;
    native.submit(this.index);
    this._offset = 0;
  }

  /**
   * Reserves an identity for a connection that this thread brings along.
   *
   * @return {{slot: Number, generation: Number}}
   */
  reserve() {
    native.reserve(this.index);
    return {
      slot: this._status[STATUS_SLOT] >>> 0,
      generation: this._status[STATUS_GENERATION] >>> 0
    };
  }

  /**
   * @param {Number} slot
   * @return {Number} How many bytes the connection in this slot has written
   */
  written(slot) {
    const chunk = Math.floor(slot / TABLE_CHUNK);
    let table = this._tables[chunk];
    if (table === undefined) {
      table = this._tables[chunk] = new Float64Array(native.tableMemory(this.index, chunk));
    }
    return table[slot % TABLE_CHUNK];
  }

  /** Marks whether handlers run, so that the worker looks after records that they leave. */
  setBusy(busy) {
    Atomics.store(this._status, STATUS_BUSY, busy ? 1 : 0);
  }

  /**
   * Handles events until none is left or the turn is over.
   *
   * @return {Boolean} Whether there may be more
   */
  drain() {
    // A throwing handler may have left records of the last turn.
    this._dispatch();
    for (let fills = 0; fills < FILLS_PER_DRAIN; fills++) {
      const more = this._fill();
      this._dispatch();
      if (!more) return false;
    }
    return true;
  }

  /** Gets the next records. Returns whether there are more than fit. */
  _fill() {
    if (this._payloads.length - this._read < INLINE_LIMIT) {
      this._payloads = Buffer.allocUnsafeSlow(this._slabBytes);
      this._memory = this._payloads.buffer;
      this._read = 0;
    }
    const drained = native.drain(this.index, this._heads, this._payloads, this._read);
    this._cursor = 0;
    this._end = (drained & ~MORE_BIT) * RECORD_WORDS;
    if ((drained & MORE_BIT) === 0) return false;
    // Few records took all the room: a longer slab for such payloads pins no more of them.
    const long = (this._end / RECORD_WORDS) * LONG_PAYLOAD < this._payloads.length;
    this._slabBytes = long ? INBOX_LONG_SLAB_BYTES : INBOX_SLAB_BYTES;
    return true;
  }

  /** Hands records to their owners, each in the asynchronous context where it belongs. */
  _dispatch() {
    while (this._cursor < this._end) {
      const { [this._cursor + 1]: slot, [this._cursor + 2]: generation } = this._heads;
      const endpoint = this.endpoints[slot];
      const known = endpoint !== undefined && endpoint.generation === generation;
      const scope = known ? endpoint.scope : rootScope;
      scope.runInAsyncScope(this._dispatchIn, this, scope);
    }
  }

  // Goes on until the context changes: connections of one server share theirs.
  // The cursor moves on before a handler runs: one that throws loses its own record only.
  _dispatchIn(scope) {
    const heads = this._heads;

    while (this._cursor < this._end) {
      const at = this._cursor;
      const word = heads[at];
      const tag = word & 0xff;
      const slot = heads[at + 1];
      const endpoint = this.endpoints[slot];
      const known = endpoint !== undefined && endpoint.generation === heads[at + 2];
      if ((known ? endpoint.scope : rootScope) !== scope) return;
      this._cursor = at + RECORD_WORDS;

      if (tag === EVENT_MESSAGE) {
        const payload = this._payload(word, heads[at + 3]);
        if (known) endpoint.onMessage(payload, (word & BINARY_BIT) !== 0);
      } else if (carriesInline.has(tag)) {
        const payload = this._payload(word, heads[at + 3]);
        if (known) endpoint.onEvent(tag, word >>> 16, payload);
      } else if (tag === EVENT_UPGRADE) {
        const head = native.takeBlock(this.index);
        const listener = listeners.get(word >>> 16);
        const generation = heads[at + 2];
        if (listener === undefined) this.command(layout.COMMAND_RELEASE, slot, generation, 0);
        else listener.inScope(listener.onUpgrade, this, slot, generation, head);
      } else if (tag === EVENT_UNLISTENED) {
        const listener = listeners.get(word >>> 16);
        listeners.delete(word >>> 16);
        if (listener !== undefined) listener.onUnlistened();
      } else if (known) {
        endpoint.onEvent(tag, word >>> 16, heads[at + 3]);
      }
    }
  }

  _payload(word, length) {
    if ((word & BLOCK_BIT) !== 0) return native.takeBlock(this.index);
    if (length === 0) return EMPTY_BUFFER;
    const start = this._read;
    this._read = start + length;
    return new FastBuffer(this._memory, start, length);
  }
}

// The asynchronous context of accepted connections: no store of the user's, as with sockets that
// Node accepts. Without it handlers would see the store in force when the doorbell went up.
const rootScope = new AsyncResource('FERROWS');

let native;
let lanes;
let draining = false;
let turns = 0;
let nextLane = 0;
let resources = 0;
let references = 0;
let bell = 'down';
const listeners = new Map();

/** Starts the workers with the first use. */
function start() {
  if (native !== undefined) return;
  native = new binding.Bridge();
  lanes = Array.from({ length: native.laneCount }, (_, index) => new Lane(index));
}

function submitScheduled(lane) {
  lane._scheduled = false;
  lane.submit();
}

// What a handler throws passes through here to uncaughtException; what is left of the batch
// is delivered in a callback of its own.
function drain() {
  let finished = false;

  draining = true;
  turns++;
  for (const lane of lanes) lane.setBusy(true);
  try {
    let more = false;
    for (const lane of lanes) more = lane.drain() || more;
    finished = !more;
  } finally {
    draining = false;
    for (const lane of lanes) {
      lane.setBusy(false);
      lane.submit();
    }
    if (!finished) setImmediate(drain);
  }
}

function onExit() {
  native.flush(EXIT_FLUSH_LIMIT);
}

function updateBell() {
  start();
  const wanted = resources === 0 ? 'down' : references === 0 ? 'unreferenced' : 'referenced';

  if (wanted === bell) return;
  if (bell === 'down') process.on('exit', onExit);
  if (wanted === 'down') {
    process.removeListener('exit', onExit);
    native.close();
  } else {
    native.open(drain, wanted === 'referenced');
  }
  bell = wanted;
}

/**
 * Something that receives events and, while referenced, keeps the process alive: an open
 * connection or a listener.
 */
class Hold {
  constructor() {
    this._held = false;
    this._referenced = true;
  }

  acquire() {
    if (this._held) return;
    this._held = true;
    resources++;
    if (this._referenced) references++;
    updateBell();
  }

  release() {
    if (!this._held) return;
    this._held = false;
    resources--;
    if (this._referenced) references--;
    updateBell();
  }

  set referenced(value) {
    if (value === this._referenced) return;
    this._referenced = value;
    if (!this._held) return;
    references += value ? 1 : -1;
    updateBell();
  }

  get referenced() {
    return this._referenced;
  }
}

/**
 * The lane for the next connection that this thread brings along.
 *
 * @return {Lane}
 */
function chooseLane() {
  start();
  nextLane = (nextLane + 1) % lanes.length;
  return lanes[nextLane];
}

/**
 * Hands a descriptor to a worker.
 *
 * @param {Lane} lane
 * @param {{slot: Number, generation: Number}} id From `lane.reserve()`
 * @param {Number} fd
 * @param {Uint32Array} settings
 * @param {Uint8Array} preface Bytes to write first
 * @param {Uint8Array} initial Bytes that were read already
 * @throws {Error} If the descriptor cannot be duplicated
 */
function adopt(lane, id, fd, settings, preface, initial) {
  lane.submit();
  native.adopt(lane.index, id.slot, id.generation, fd, settings, preface, initial);
}

/**
 * Listens natively.
 *
 * @param {Object} listener Receives `onUpgrade(lane, slot, generation, head)` and `onUnlistened()`
 * @param {{address: String, port: Number, backlog: Number, ipv6Only: Boolean}} options
 * @return {{id: Number, errno: Number, address: String, port: Number, family: String}}
 */
function listen(listener, { address, port, backlog, ipv6Only }) {
  start();
  let id = 0;
  while (listeners.has(id)) id++;
  const outcome = native.listen(id, address, port, backlog, ipv6Only);
  if (outcome.errno === 0) listeners.set(id, listener);
  return { id, ...outcome };
}

/**
 * Stops listening; `onUnlistened` follows.
 *
 * @param {Number} id
 */
function unlisten(id) {
  lanes[id % lanes.length].command(layout.COMMAND_UNLISTEN | (id << 16), 0, 0, 0);
}

/**
 * The addresses of a TCP connection, or null once it is gone.
 *
 * @param {Lane} lane
 * @param {Number} slot
 * @param {Number} generation
 * @return {?Object}
 */
function addresses(lane, slot, generation) {
  return native.addresses(lane.index, slot, generation);
}

module.exports = {
  Hold,
  acceptKey: binding.acceptKey,
  addresses,
  adopt,
  chooseLane,
  currentTurn: () => turns,
  isDraining: () => draining,
  layout,
  listen,
  rootScope,
  unlisten
};
