// Decodes what arrives on a socket that stays with Node.
//
// Owns: the order in which the events of a chunk are emitted and the backpressure
// while they are. The decoding is Rust's, called synchronously, but for small
// frames at its beginning (small-frames.js); compressed frames are inflated by the
// extension, off this thread. Used by stream-transport.js and exported.
// Runs on: js. Tests: __test__/stream.

'use strict';

const { Buffer } = require('buffer');
const { Writable } = require('stream');

const binding = require('./binding');
const { layout } = require('./bridge');
const { BINARY_TYPES, toBinaryType } = require('./binary-type');
const { NOOP, OPCODES, PERMESSAGE_DEFLATE, emptyBuffer } = require('./constants');
const { errorOfCode, violationError } = require('./errors');
const { defineCounters } = require('./receiver-counters');
const { codecSettings } = require('./settings');
const { readSmall, small } = require('./small-frames');

const {
  EVENT_CLOSE,
  EVENT_DEFLATED,
  EVENT_FRAGMENTS,
  EVENT_MESSAGE,
  EVENT_PING,
  EVENT_PONG,
  FLAG_BINARY,
  FLAG_BLOCK,
  FLAG_FIN,
  RECORD_WORDS
} = layout;

const BLOCK_BIT = FLAG_BLOCK << 8;
const BINARY_BIT = FLAG_BINARY << 8;
const FIN_BIT = FLAG_FIN << 8;
// What the codec returns: a count, and bits.
const MORE_BIT = 0x80000000;
const MIDWAY_BIT = 0x20000000;
const COUNT_BITS = 0xffff;
const HEADS = 64;

const { BINARY, PING, PONG } = OPCODES;

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
   * @param {Codec} [codec] A decoder that has decoded before
   */
  constructor(options = {}, codec) {
    super();

    const { allowSynchronousEvents, binaryType, extensions, isServer } = options;
    this._allowSynchronousEvents =
      allowSynchronousEvents !== undefined ? allowSynchronousEvents : true;
    this._extensions = extensions || {};
    this._isServer = Boolean(isServer);
    this._maxBufferedChunks = options.maxBufferedChunks | 0;
    this._maxFragments = options.maxFragments | 0;
    this._payloadLimit = options.maxPayload | 0;
    this._skipUTF8Validation = Boolean(options.skipUTF8Validation);

    this._codec =
      codec || new binding.Codec(codecSettings(options, this._isServer, this._extensions));
    // What there is of a compressed message.
    this._inflated = [];
    this._inflatedLength = 0;
    this._isInflating = false;
    this._boundaries = null;
    // The chunk whose events are being emitted. From `_at` on it is the decoder's.
    this._chunk = null;
    this._at = 0;
    this._isRead = false;
    // Its callback, if it came through the stream's buffer.
    this._done = null;
    this._isAdopting = false;
    // A chunk that a listener wrote meanwhile, and its callback.
    this._next = null;
    this._nextDone = null;
    this._failure = null;
    // The decoder's events.
    this._heads = null;
    this._cursor = 0;
    this._end = 0;
    this._more = false;
    // The decoder is in the middle of a message.
    this._isMidway = codec !== undefined;
    this._ended = false;
    this._holds = 0;
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

  /** The largest message; what is written here counts from the next frame on. */
  get _maxPayload() {
    return this._payloadLimit;
  }

  set _maxPayload(limit) {
    this._payloadLimit = limit;
    this._codec.limitPayload(Math.max(limit | 0, 0));
  }

  /**
   * No event is emitted until every reason is released, and so no chunk after this one taken.
   *
   * @param {Number} reason A bit
   */
  hold(reason) {
    this._holds |= reason;
  }

  /** @param {Number} reasons Bits */
  release(reasons) {
    if ((this._holds & reasons) === 0) return;
    this._holds &= ~reasons;
    if (this._holds === 0) process.nextTick(resume, this);
  }

  /**
   * As that of every Writable.
   *
   * @param {Buffer} chunk
   * @param {String} [encoding]
   * @param {Function} [callback]
   * @return {Boolean} Whether there is room for more
   */
  write(chunk, encoding, callback) {
    const { _write: take } = this;
    if (
      encoding !== undefined ||
      take !== OWN._write ||
      !this._isFree() ||
      !Buffer.isBuffer(chunk)
    ) {
      // Always with a callback: a buffered chunk without one that ends the stream, as a close frame
      // does, never makes Node emit 'finish'.
      if (typeof encoding === 'function') return super.write(chunk, encoding);
      return super.write(chunk, encoding, callback || NOOP);
    }
    // PERF: what is emitted at once does not take the way through the stream's buffer.
    let hasRoom = true;
    this._begin(chunk, null);
    try {
      this._emitEvents();
    } finally {
      const isLeft = this._chunk !== null && this._done === null;
      if ((isLeft && this._next === null) || this._failure !== null) {
        // The stream is busy with it from now on.
        this._isAdopting = true;
        hasRoom = super.write(chunk);
        this._isAdopting = false;
      }
    }
    return hasRoom;
  }

  /** Whether nothing comes first and the stream takes more. */
  _isFree() {
    if (this._chunk !== null || this._ended || this._holds !== 0) return false;
    const { _writableState: state } = this;
    const isEmpty = state.length === 0 && state.corked === 0;
    return isEmpty && !state.writing && !state.ending && !state.destroyed;
  }

  _write(chunk, encoding, callback) {
    if (this._isAdopting) {
      this._isAdopting = false;
      if (this._failure === null) this._done = callback;
      else callback(this._failure);
    } else if (this._chunk !== null) {
      this._next = chunk;
      this._nextDone = callback;
    } else if (this._ended) {
      callback();
    } else {
      this._begin(chunk, callback);
      this._emitEvents();
    }
  }

  _begin(chunk, done) {
    this._chunk = chunk;
    this._at = 0;
    this._isRead = false;
    this._done = done;
  }

  /** Emits events until none is left or the next one has to wait for a turn of its own. */
  _emitEvents() {
    let threw = true;
    try {
      if (this._holds === 0 && !this._isRead) this._read();
      while (this._holds === 0 && (this._cursor < this._end || this._more)) {
        if (this._cursor === this._end) this._take(this._codec.next(this._heads));
        else if (!this._emitNext()) break;
      }
      threw = false;
    } finally {
      // What a listener throws goes to whoever wrote; the rest is emitted in a fresh turn.
      if (threw) setImmediate(resume, this);
    }
    const isTaken = this._isRead && this._cursor === this._end && !this._more;
    if (isTaken && !this._isInflating && this._chunk !== null) this._finishChunk(null);
  }

  /** Emits small frames as long as there are some, and has what follows decoded. */
  _read() {
    const { _chunk: chunk } = this;
    if (!this._isMidway && this._allowSynchronousEvents) {
      while (this._emitSmall(chunk)) {
        if (this._holds !== 0) return;
      }
    }
    this._isRead = true;
    const { _at: at } = this;
    // The last payload is in the chunk's memory: a chunk whose memory was moved has no length.
    if (at > 0 && at >= chunk.length) return;
    const rest =
      at === 0 ? chunk : new FastBuffer(chunk.buffer, chunk.byteOffset + at, chunk.length - at);
    this._heads = spareHeads.pop() || new Uint32Array(HEADS * RECORD_WORDS);
    this._take(this._codec.decode(rest, this._heads));
  }

  _emitSmall(chunk) {
    const { _isServer: isServer, _payloadLimit: limit, _skipUTF8Validation: skips } = this;
    if (!readSmall(chunk, this._at, isServer, limit, !skips)) return false;
    const { opcode, payload } = small;
    this._at = small.end;
    if (opcode === BINARY) {
      this.emit('message', toBinaryType(payload, null, this._binaryType), true);
    } else if (opcode === PING) {
      this.emit('ping', payload);
    } else if (opcode === PONG) {
      this.emit('pong', payload);
    } else {
      this.emit('message', payload, false);
    }
    return true;
  }

  _take(result) {
    this._cursor = 0;
    this._end = (result & COUNT_BITS) * RECORD_WORDS;
    this._more = (result & MORE_BIT) !== 0;
    this._isMidway = (result & MIDWAY_BIT) !== 0;
  }

  _finishChunk(error) {
    const { _done: done, _next: next, _nextDone: nextDone } = this;
    if (this._heads !== null) spareHeads.push(this._heads);
    this._heads = null;
    this._chunk = null;
    this._done = null;
    this._more = false;
    this._cursor = this._end = 0;
    if (done !== null) {
      done(error);
    } else if (next !== null) {
      this._next = this._nextDone = null;
      if (error) {
        nextDone(error);
      } else {
        this._write(next, undefined, nextDone);
      }
    } else {
      this._failure = error;
    }
  }

  /** Returns false if the event is emitted later, or was the last one. */
  _emitNext() {
    const { _heads: heads, _cursor: at } = this;
    // Moved before anything can throw.
    this._cursor += RECORD_WORDS;
    const word = heads[at];
    const tag = word & 0xff;
    const payload =
      (word & BLOCK_BIT) !== 0
        ? this._codec.takeBlock()
        : this._inline(heads[at + 1], heads[at + 2]);

    if (tag === EVENT_MESSAGE) {
      const isBinary = (word & BINARY_BIT) !== 0;
      const { _boundaries: boundaries } = this;
      this._boundaries = null;
      const data = isBinary ? toBinaryType(payload, boundaries, this._binaryType) : payload;
      return this._deliver('message', data, isBinary);
    }
    if (tag === EVENT_DEFLATED) {
      this._inflate(payload, (word & FIN_BIT) !== 0, (word & BINARY_BIT) !== 0);
      return false;
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
      this._fail(violationError(word >>> 16, heads[at + 3]));
      return false;
    }
    return true;
  }

  /** A payload within the chunk. Only the last one may have the chunk's memory: it can be moved. */
  _inline(at, length) {
    if (length === 0) return emptyBuffer();
    const { buffer, byteOffset } = this._chunk;
    const start = byteOffset + this._at + at;
    if (this._cursor === this._end && !this._more) return new FastBuffer(buffer, start, length);
    return new FastBuffer(buffer.slice(start, start + length));
  }

  _fail(error) {
    this._ended = true;
    this._finishChunk(error);
  }

  /** Inflates a frame; the events after it wait. */
  _inflate(payload, fin, isBinary) {
    this._isInflating = true;
    this._extensions[PERMESSAGE_DEFLATE].decompress(payload, fin, (error, data) => {
      this._isInflating = false;
      // The stream may have been destroyed meanwhile.
      if (this._chunk === null) return;
      if (error) {
        this._fail(error);
        return;
      }
      this._inflated.push(data);
      this._inflatedLength += data.length;
      if (this._maxPayload > 0 && this._inflatedLength > this._maxPayload) {
        this._fail(errorOfCode('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'));
      } else if (!fin) {
        resume(this);
      } else if (!isBinary) {
        this._deliverInflatedText();
      } else if (this._deliver('message', this._takeInflated(true), true)) {
        resume(this);
      }
    });
  }

  _deliverInflatedText() {
    const text = this._takeInflated(false);
    if (!this._skipUTF8Validation && !binding.isUtf8(text)) {
      this._fail(errorOfCode('WS_ERR_INVALID_UTF8'));
      return;
    }
    // COMPAT(ws 8.23): at once, also with `allowSynchronousEvents: false`.
    let next = setImmediate.bind(null, resume);
    try {
      this._announce('message', text, false);
      next = resume;
    } finally {
      next(this);
    }
  }

  _takeInflated(isBinary) {
    const { _inflated: parts, _inflatedLength: length } = this;
    this._inflated = [];
    this._inflatedLength = 0;
    if (length === 0)
      return isBinary ? toBinaryType(emptyBuffer(), null, this._binaryType) : emptyBuffer();
    const data = parts.length === 1 ? parts[0] : Buffer.concat(parts, length);
    if (!isBinary) return data;
    const lengths = Uint32Array.from(parts.map((part) => part.length).filter((bytes) => bytes > 0));
    return toBinaryType(data, Buffer.from(lengths.buffer), this._binaryType);
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
  if (receiver._chunk !== null) receiver._emitEvents();
}

defineCounters(Receiver.prototype);

// What somebody may put something else in the place of, as it is without that.
const OWN = { _write: Receiver.prototype._write };

module.exports = Receiver;
