// What waits for a peer that reads slowly on a socket that stays with Node, where a server limits it:
// a reactor has its own (src/reactor/backlog.rs), with the same rules.
//
// Owns: frames that are not given to the Sender yet, which of them are dropped. Used by
// stream-transport.js. Runs on: js. INVARIANT: a message of which something was given on is never
// dropped, nor a control frame. Tests: __test__/operations/backpressure.test.js.

'use strict';

const Queue = require('./queue');
const { OPCODES } = require('./constants');
const { droppedError } = require('./errors');
const { policies } = require('./policies');
const { byteLengthOf } = require('./send-data');

const { CLOSE, CONTINUATION } = OPCODES;

// Bytes that the socket may hold before what follows waits here.
const MOST_GIVEN = 16 * 1024;
// What one sends without a topic.
const NO_TOPIC = null;

class Backlog {
  /**
   * @param {{limit: Number, policy: String}} options
   * @param {StreamTransport} transport Asked for `encodedBytes`, told by `writeNow()`, `postNow()`,
   *     `endNow()`, `onPressure()` and `onDropped()`
   */
  constructor({ limit, policy }, transport) {
    this._limit = limit;
    this._policy = policy;
    this._transport = transport;
    this._waiting = new Queue();
    // Messages for several that came between fragments.
    this._held = new Queue();
    /** Bytes of these. */
    this.heldBytes = 0;
    /** Bytes that wait otherwise, as they would be on the wire uncompressed. */
    this.bytes = 0;
    this._current = null;
    this._message = 0;
    this._given = 0;
    // Frames whose callbacks will come.
    this._outstanding = 0;
    this._onWritten = (error) => {
      this._outstanding--;
      if (!error) this.pump();
    };
    this._closed = false;
    // Bytes that wait, by the topics that have rules of their own.
    this._ruled = new Map();
    // By which something is dropped just now.
    this._dropping = policy;
    this._dropped = { messages: 0, bytes: 0 };
    this._reporting = false;
    this.pressed = false;
  }

  /** As the transport's `frame()`. */
  frame(opcode, data, fin, mask, callback, compress) {
    const write = (done) => this._transport.writeNow(opcode, data, fin, mask, done, compress);
    const entry = entryOf(write, byteLengthOf(data), mask, NO_TOPIC, callback);
    if (opcode >= CLOSE) {
      this._put(entry);
      return;
    }
    this._putIfAdmitted(entry, opcode, fin);
    while (this._current === null && this._held.length > 0) {
      const [message, whenWritten] = this._held.shift();
      this.heldBytes -= message.data.length;
      this.post(message, whenWritten);
    }
  }

  /**
   * Queues a message for several, behind the fragments of one in progress.
   *
   * @param {PreparedMessage} message
   * @param {Function} [callback]
   */
  post(message, callback) {
    if (this._current !== null) {
      this._held.push([message, callback]);
      this.heldBytes += message.data.length;
      return;
    }
    const { data, opcode, topic } = message;
    const write = (done) => this._transport.postNow(message, done);
    this._putIfAdmitted(entryOf(write, data.length, false, topic, callback), opcode, true);
  }

  /** The end of our side, behind what waits. */
  end() {
    this._put({ ...entryOf(null, 0, false, NO_TOPIC), bytes: 0 });
  }

  _putIfAdmitted(entry, opcode, fin) {
    if (this._admits(opcode, fin, entry)) {
      entry.message = this._message;
      this._put(entry);
    } else {
      this._note(entry);
    }
  }

  _put(entry) {
    const { bytes, topic } = entry;
    this._waiting.push(entry);
    this.bytes += bytes;
    if (hasRule(topic)) this._ruled.set(topic, this._heldOf(topic) + bytes);
    this.pump();
  }

  /** Something does not wait any more. */
  _forget({ bytes, topic }) {
    this.bytes -= bytes;
    if (!hasRule(topic)) return;
    const left = this._heldOf(topic) - bytes;
    if (left === 0) this._ruled.delete(topic);
    else this._ruled.set(topic, left);
  }

  _heldOf(topic) {
    const bytes = this._ruled.get(topic);
    return bytes === undefined ? 0 : bytes;
  }

  /** Gives on what the socket has room for. */
  pump() {
    const { _transport: transport } = this;
    const most = Math.min(MOST_GIVEN, this._limit / 4);
    while (this._waiting.length > 0 && transport.encodedBytes <= most) {
      const entry = this._waiting.shift();
      this._forget(entry);
      this._given = Math.max(this._given, entry.message);
      if (entry.write === null) transport.endNow();
      else this._give(entry);
    }
    this._relieve();
    // Who wrote to the socket himself is waited for otherwise.
    const waits = this.pressed || this._waiting.length > 0;
    if (waits && this._outstanding === 0) transport.onceWritten();
  }

  _give({ callback, write }) {
    const { _onWritten: onWritten } = this;
    const done =
      callback === undefined
        ? onWritten
        : (error) => {
            onWritten(error);
            callback(error);
          };
    this._outstanding++;
    write(done);
  }

  /** Tells when enough was written. */
  _relieve() {
    if (!this.pressed || this._transport.encodedBytes + this.bytes > this._limit / 2) return;
    this.pressed = false;
    this._transport.onPressure(false, false);
  }

  _admits(opcode, fin, { bytes, topic }) {
    if (opcode !== CONTINUATION) {
      this._message++;
      this._current = null;
    }
    const wasClosed = this._closed;
    let admits = this._current !== false && !this._closed;
    if (admits && hasRule(topic)) admits = this._makeRoomOf(topic, bytes);
    if (admits && this._excess(bytes) > 0) {
      this._dropping = this._policy;
      this._press();
      admits = this._makeRoom(bytes, topic);
    }
    if (this._closed && !wasClosed) this._transport.onPressure(true, true);
    if (!admits && this._current !== false) {
      this._count(1, 0);
      this._drop((each) => each.message === this._message, Infinity);
    }
    this._current = fin ? null : admits;
    return admits;
  }

  _press() {
    if (this.pressed) return;
    this.pressed = true;
    this._transport.onPressure(true, false);
  }

  /** Makes room for a message among those of its topic. */
  _makeRoomOf(topic, bytes) {
    const { limit, policy } = topic.rule;
    const held = this._heldOf(topic);
    const needed = held + bytes - limit;
    if (needed <= 0 || policy === 'buffer') return true;
    this._dropping = policy;
    if (policy === 'close') {
      this._closed = true;
      this._press();
    }
    if ((policy !== 'drop-oldest' && policy !== 'latest') || needed > held) return false;
    this._drop((each) => each.topic === topic, policy === 'latest' ? Infinity : needed);
    return true;
  }

  _excess(bytes) {
    return this._transport.encodedBytes + this.bytes + bytes - this._limit;
  }

  _makeRoom(bytes, topic) {
    const { _message: message, _policy: policy } = this;
    const started = this._current === true && this._given === message;
    if (policy === 'buffer' || started) return true;
    if (policy === 'close') this._closed = true;
    if (policy !== 'drop-oldest' && policy !== 'latest') return false;
    const older = (each) => each.message > this._given && each.message < message;
    let needed = this._excess(bytes);
    let free = 0;
    for (const each of this._waiting) {
      if (free >= needed) break;
      if (older(each)) free += each.bytes;
    }
    if (free < needed) return false;
    if (policy === 'latest') {
      needed -= this._drop((each) => older(each) && each.topic === topic, Infinity);
    }
    if (needed > 0) this._drop(older, needed);
    return true;
  }

  /**
   * Drops whole messages that `concerns` names, the oldest first, until so many bytes are free.
   *
   * @return {Number} How many are
   */
  _drop(concerns, needed) {
    const { _waiting: waiting } = this;
    const kept = [];
    let free = 0;
    let last = this._message;
    // Behind what makes enough room, other fragments of the last message may follow.
    while (waiting.length > 0 && (free < needed || waiting.peek().message <= last)) {
      const each = waiting.shift();
      if (!concerns(each) || (free >= needed && each.message !== last)) {
        kept.push(each);
        continue;
      }
      if (each.message !== last) this._count(1, 0);
      last = each.message;
      free += each.bytes;
      this._forget(each);
      this._note(each);
    }
    waiting.unshift(kept);
    return free;
  }

  _note({ callback, length }) {
    this._count(0, length);
    if (callback !== undefined) process.nextTick(callback, droppedError());
    if (this._reporting) return;
    this._reporting = true;
    process.nextTick(report, this);
  }

  _count(messages, bytes) {
    this._dropped.messages += messages;
    this._dropped.bytes += bytes;
    this._transport.countDropped(policies[this._dropping], messages, bytes);
  }

  /** The socket is gone: callbacks of what waits get an error. */
  fail(error) {
    const callbacks = [...this._waiting].map(({ callback }) => callback);
    for (const [, callback] of this._held) callbacks.push(callback);
    this._waiting = new Queue();
    this._held = new Queue();
    this.heldBytes = 0;
    this._ruled.clear();
    this.bytes = 0;
    for (const callback of callbacks) {
      if (callback !== undefined) process.nextTick(callback, error);
    }
  }
}

/** Whether the topic of what waits, if it has one, has a rule of its own. */
function hasRule(topic) {
  return topic !== null && topic.rule !== null;
}

/** Something that waits. */
function entryOf(write, length, mask, topic, callback) {
  const bytes = length + (length < 126 ? 2 : length < 65536 ? 4 : 10) + (mask ? 4 : 0);
  return { write, length, bytes, topic, callback, message: 0 };
}

function report(backlog) {
  const { messages, bytes } = backlog._dropped;
  backlog._dropped = { messages: 0, bytes: 0 };
  backlog._reporting = false;
  backlog._transport.onDropped(messages, bytes);
}

module.exports = Backlog;
