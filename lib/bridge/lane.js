// A lane: what this thread tells one reactor, and the events that it brings.
//
// Owns: the command slab, the rules for submitting it, the slots of the reactor.
// Reading events is arrivals.js. Runs on: js.
// INVARIANT: a record is written whole before COMMITTED is raised over it; only Rust
// lowers COMMITTED. Tests: __test__/process, __test__/api.

'use strict';

const { Buffer } = require('buffer');

const Arrivals = require('./arrivals');
const layout = require('./layout');

const {
  COMMAND_FORGET,
  COMMAND_PREPARE,
  FLAG_BLOCK,
  FLAG_COMPRESS,
  OUTBOX_INLINE_LIMIT,
  OUTBOX_SUBMIT_BYTES,
  PREPARED_PLACES,
  RECORD_BYTES,
  STATUS_ASLEEP,
  STATUS_COMMITTED,
  STATUS_GENERATION,
  STATUS_IN_TURN,
  STATUS_SLOT,
  STATUS_WORDS,
  TABLE_CHUNK,
  TURN_DELIVERED,
  TURN_REFUSED
} = layout;

const BLOCK_BIT = FLAG_BLOCK << 8;
const COMPRESS_BIT = FLAG_COMPRESS << 8;
// Prepared messages up to this size stay with the reactor beyond the tick.
const KEPT_BYTES = 16 * 1024;
// A UTF-16 code unit takes at most three bytes of UTF-8.
const INLINE_CHARACTERS = Math.floor(OUTBOX_INLINE_LIMIT / 3);

class Lane {
  /**
   * @param {Bridge} native
   * @param {Number} index
   * @param {Object} door Receives `onUpgrade(lane, head…)` and `onNews()`
   */
  constructor(native, index, door) {
    const memory = native.laneMemory(index);

    this.index = index;
    /** What receives the events of each slot. */
    this.endpoints = [];
    this.arrivals = new Arrivals(native, this, door);
    this._native = native;
    this._door = door;
    this._status = new Int32Array(memory, 0, STATUS_WORDS);
    this._words = new Uint32Array(memory, STATUS_WORDS * 4);
    this._slab = Buffer.from(memory, STATUS_WORDS * 4);
    this._scheduled = false;
    this._eager = false;
    this._gathered = false;
    this._tables = [];
    this._prepared = new Array(PREPARED_PLACES).fill(null);
    this._nextPlace = 0;
  }

  /** The status words that are shared with Rust. */
  get status() {
    return this._status;
  }

  /**
   * Writes a record with a payload.
   *
   * @param {Number} word The tag, flags and aux, without the block flag
   * @param {Number} slot
   * @param {Number} generation
   * @param {(String|Uint8Array)} data
   * @return {Number} The length of the payload in bytes
   */
  write(word, slot, generation, data) {
    const offset = this._status[STATUS_COMMITTED];
    const start = offset + RECORD_BYTES;
    let length;

    if (typeof data === 'string') {
      if (data.length > INLINE_CHARACTERS) data = Buffer.from(data);
      else length = this._slab.write(data, start);
    }
    if (length === undefined) {
      length = data.byteLength;
      if (length > OUTBOX_INLINE_LIMIT) {
        this._writeLarge(word, slot, generation, data);
        return length;
      }
      this._slab.set(data, start);
    }
    this._commit(offset, word, slot, generation, length, (start + length + 3) & ~3);
    return length;
  }

  /** Rust takes the payload from where it is, unless a worker is at it just now. */
  _writeLarge(word, slot, generation, data) {
    const outcome = this._native.runWith(this.index, word, slot, generation, data);
    if ((outcome & TURN_REFUSED) === 0) {
      this.after(outcome);
      return;
    }
    this._native.attach(this.index, data);
    const offset = this._status[STATUS_COMMITTED];
    const end = offset + RECORD_BYTES;
    this._commit(offset, word | BLOCK_BIT, slot, generation, data.byteLength, end);
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
    const offset = this._status[STATUS_COMMITTED];
    this._commit(offset, word, slot, generation, argument, offset + RECORD_BYTES);
  }

  /**
   * Gives a message to the reactor that several connections send.
   *
   * @param {PreparedMessage} message
   * @return {Number} What commands call it, until others take its place
   */
  prepare(message) {
    const known = this._prepared.indexOf(message);
    if (known !== -1) return known;
    const place = this._nextPlace;
    const { opcode, data, compress } = message;
    this._nextPlace = (place + 1) % PREPARED_PLACES;
    this._prepared[place] = message;
    this.write(COMMAND_PREPARE | (compress ? COMPRESS_BIT : 0) | (opcode << 16), place, 0, data);
    if (data.length > KEPT_BYTES) process.nextTick(forget, this, place, message);
    return place;
  }

  _commit(offset, word, slot, generation, argument, end) {
    const words = this._words;
    const at = offset >> 2;

    words[at] = word;
    words[at + 1] = slot;
    words[at + 2] = generation;
    words[at + 3] = argument;
    Atomics.store(this._status, STATUS_COMMITTED, end);

    if (this._eager) {
      this.submit();
      return;
    }
    if (!this._scheduled && this._status[STATUS_IN_TURN] === 0) {
      // Everything that this tick sends goes together.
      this._scheduled = true;
      process.nextTick(submitScheduled, this);
      if (Atomics.load(this._status, STATUS_ASLEEP) === 1) this._native.rouse();
    }
    if (end >= OUTBOX_SUBMIT_BYTES) {
      this._gathered = true;
      this.after(this._native.gather(this.index));
    }
  }

  /** Passes on what was written so far. */
  submit() {
    if (this._status[STATUS_COMMITTED] === 0 && !this._gathered) return;
    this._gathered = false;
    this.after(this._native.submit(this.index));
  }

  /** The same where a tick ends. */
  endTick() {
    if (this._status[STATUS_COMMITTED] === 0 && !this._gathered) return;
    this._gathered = false;
    this.after(this._native.endTick(this.index));
  }

  /** Has everything run that was written so far, before this returns. */
  settle() {
    this.after(this._native.settle(this.index));
  }

  /** From here on nothing waits for the end of a tick: the process exits. */
  setEager() {
    this._eager = true;
  }

  /**
   * Acts on what a call came to that ran commands.
   *
   * @param {Number} outcome
   */
  after(outcome) {
    if ((outcome & TURN_DELIVERED) !== 0) this._door.onNews();
  }

  /**
   * Reserves an identity for a connection that this thread brings along.
   *
   * @return {{slot: Number, generation: Number}}
   */
  reserve() {
    this._native.reserve(this.index);
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
      const memory = this._native.tableMemory(this.index, chunk);
      table = this._tables[chunk] = new Float64Array(memory);
    }
    return table[slot % TABLE_CHUNK];
  }
}

function forget(lane, place, message) {
  if (lane._prepared[place] !== message) return;
  lane._prepared[place] = null;
  lane.command(COMMAND_FORGET, place, 0, 0);
}

function submitScheduled(lane) {
  lane._scheduled = false;
  lane.endTick();
}

module.exports = Lane;
