// Decodes what arrives on a socket that stays with Node.
//
// Owns: the order in which the events of a chunk are emitted and the
// backpressure while they are. The decoding is Rust's, called synchronously.
// Used by stream-transport.js and exported. Runs on: js. Tests: __test__/stream.

'use strict';

const { Buffer } = require('buffer');
const { Writable } = require('stream');

const binding = require('./binding');
const { layout } = require('./bridge');
const { BINARY_TYPES, toBinaryType } = require('./binary-type');
const { EMPTY_BUFFER } = require('./constants');
const { violationError } = require('./errors');
const { settingsFor } = require('./settings');

const {
  EVENT_CLOSE,
  EVENT_FRAGMENTS,
  EVENT_MESSAGE,
  EVENT_PING,
  EVENT_PONG,
  FLAG_BINARY,
  FLAG_BLOCK,
  RECORD_WORDS
} = layout;

const BLOCK_BIT = FLAG_BLOCK << 8;
const BINARY_BIT = FLAG_BINARY << 8;
const MORE_BIT = 0x80000000;
const HEADS = 64;

const FastBuffer = Buffer[Symbol.species];

// Arrays for events that are being emitted: a listener may write to another receiver.
const spareHeads = [];

class Receiver extends Writable {
  /**
   * @param {Object} [options]
   * @param {Boolean} [options.allowSynchronousEvents=true] Whether several events may be emitted in
   *     one tick
   * @param {String} [options.binaryType='nodebuffer']
   * @param {Object} [options.extensions] By name
   * @param {Boolean} [options.isServer=false] Whether frames must be masked
   * @param {Number} [options.maxBufferedChunks=0] 0 is no limit
   * @param {Number} [options.maxFragments=0] 0 is no limit
   * @param {Number} [options.maxPayload=0] In bytes, 0 is no limit
   * @param {Boolean} [options.skipUTF8Validation=false]
   */
  constructor(options = {}) {
    super();

    const { allowSynchronousEvents, binaryType, extensions, isServer } = options;
    this._allowSynchronousEvents =
      allowSynchronousEvents !== undefined ? allowSynchronousEvents : true;
    this._extensions = extensions || {};
    this._isServer = Boolean(isServer);
    this._maxBufferedChunks = options.maxBufferedChunks | 0;
    this._maxFragments = options.maxFragments | 0;
    this._maxPayload = options.maxPayload | 0;
    this._skipUTF8Validation = Boolean(options.skipUTF8Validation);

    this._codec = new binding.Codec(settingsFor(options, this._isServer));
    this._boundaries = null;
    this._chunk = EMPTY_BUFFER;
    this._heads = null;
    this._cursor = 0;
    this._end = 0;
    this._more = false;
    this._done = null;
    this._ended = false;
    this.binaryType = binaryType || BINARY_TYPES[0];
  }

  /** @type {String} */
  get binaryType() {
    return this._binaryType;
  }

  set binaryType(type) {
    this._binaryType = type;
    this._codec.trackFragments(type === 'fragments');
  }

  _write(chunk, encoding, callback) {
    if (this._ended) {
      callback();
      return;
    }
    this._heads = spareHeads.pop() || new Uint32Array(HEADS * RECORD_WORDS);
    this._chunk = chunk;
    this._done = callback;
    this._take(this._codec.decode(chunk, this._heads));
    this._emitEvents();
  }

  _take(result) {
    this._cursor = 0;
    this._end = (result & ~MORE_BIT) * RECORD_WORDS;
    this._more = (result & MORE_BIT) !== 0;
  }

  /** Emits events until none is left or the next one has to wait for a turn of its own. */
  _emitEvents() {
    let threw = true;
    try {
      while (this._cursor < this._end || this._more) {
        if (this._cursor === this._end) this._take(this._codec.next(this._heads));
        else if (!this._emitNext()) break;
      }
      threw = false;
    } finally {
      // What a listener throws goes to whoever wrote; the rest is emitted in a fresh turn.
      if (threw) setImmediate(resume, this);
    }
    if (this._cursor === this._end && this._heads !== null) this._finishChunk(null);
  }

  _finishChunk(error) {
    const { _done: done } = this;
    spareHeads.push(this._heads);
    this._heads = null;
    this._chunk = EMPTY_BUFFER;
    this._more = false;
    this._cursor = this._end = 0;
    done(error);
  }

  /** Returns false if the event is emitted later, or was the last one. */
  _emitNext() {
    const { _heads: heads, _cursor: at } = this;
    const word = heads[at];
    const tag = word & 0xff;
    const length = heads[at + 2];
    const payload =
      (word & BLOCK_BIT) !== 0
        ? this._codec.takeBlock()
        : length === 0
          ? EMPTY_BUFFER
          : new FastBuffer(this._chunk.buffer, this._chunk.byteOffset + heads[at + 1], length);
    this._cursor += RECORD_WORDS;

    if (tag === EVENT_MESSAGE) {
      const isBinary = (word & BINARY_BIT) !== 0;
      const { _boundaries: boundaries } = this;
      this._boundaries = null;
      const data = isBinary ? toBinaryType(payload, boundaries, this._binaryType) : payload;
      return this._deliver('message', data, isBinary);
    }
    if (tag === EVENT_PING) return this._deliver('ping', payload);
    if (tag === EVENT_PONG) return this._deliver('pong', payload);
    if (tag === EVENT_FRAGMENTS) {
      this._boundaries = payload;
    } else if (tag === EVENT_CLOSE) {
      this._ended = true;
      this.emit('conclude', word >>> 16, payload);
      this.end();
    } else {
      this._ended = true;
      this._finishChunk(violationError(word >>> 16, heads[at + 3]));
      return false;
    }
    return true;
  }

  _deliver(event, data, isBinary) {
    if (this._allowSynchronousEvents) {
      this._announce(event, data, isBinary);
      return true;
    }
    // The chunk is not finished before this event was.
    const { _cursor: cursor } = this;
    this._cursor = -1;
    setImmediate(() => {
      let next = setImmediate.bind(null, resume);
      this._cursor = cursor;
      try {
        this._announce(event, data, isBinary);
        next = resume;
      } finally {
        next(this);
      }
    });
    return false;
  }

  _announce(event, data, isBinary) {
    if (event === 'message') this.emit(event, data, isBinary);
    else this.emit(event, data);
  }
}

function resume(receiver) {
  if (receiver._heads !== null) receiver._emitEvents();
}

module.exports = Receiver;
