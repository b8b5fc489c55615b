// The backbone of a server's topics: other processes, by way of Redis or NATS.
//
// Owns: who uses it, what its servers are told ('backbone'), flushes. Messages pass by:
// they go from the hub to the engine and back in Rust (src/backbone). Used by
// websocket-server.js and topics/registry.js. Runs on: js. INVARIANT: it does not keep
// the process alive, but for a flush. Tests: __test__/backbone.

'use strict';

const { getSystemErrorName, isDeepStrictEqual } = require('util');

const Queue = require('../queue');
const { Hold, openBackbone } = require('../bridge');
const { coded } = require('../topics/name');

// By number, as src/backbone/news.rs has them.
const CODES = [
  'FERROWS_ERR_BACKBONE_CONNECTION',
  'FERROWS_ERR_BACKBONE_TIMEOUT',
  'FERROWS_ERR_BACKBONE_CREDENTIALS',
  'FERROWS_ERR_BACKBONE_TLS',
  'FERROWS_ERR_BACKBONE_ENGINE',
  'FERROWS_ERR_BACKBONE_REFUSED',
  'FERROWS_ERR_BACKBONE_TOO_LARGE',
  'FERROWS_ERR_BACKBONE_FOREIGN'
];
// How long process.exit() may wait for what was published, in milliseconds.
const EXIT_FLUSH_LIMIT = 200;
// The same for the last server that closes.
const CLOSE_FLUSH_LIMIT = 1000;

const open = new Set();

function onExit() {
  for (const backbone of open) backbone._native.flushWithin(EXIT_FLUSH_LIMIT);
}

class Backbone {
  /**
   * @param {Topics} topics Whose messages it carries
   * @param {Object} options From `readBackbone()`
   * @throws {Error} If the topics are carried otherwise in another thread
   */
  constructor(topics, options) {
    this._topics = topics;
    this._options = options;
    this._servers = new Set();
    this._events = new Queue();
    this._flushes = new Map();
    this._nextFlush = 0;
    this._recoveries = new Map();
    this._nextRecovery = 0;
    this._hold = new Hold();
    this._hasWarned = false;
    this._isClosed = false;
    this._native = openBackbone(topics.hub, options, () => this._onNews());
    if (open.size === 0) process.on('exit', onExit);
    open.add(this);
  }

  /** A server that uses it, too. */
  add(server, options) {
    if (!isDeepStrictEqual(options, this._options)) {
      const text = 'The "backbone" option differs from that of another server with the same hub';
      throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', text);
    }
    this._servers.add(server);
  }

  /** A server that has closed. @return {Boolean} Whether it was the last */
  remove(server) {
    this._servers.delete(server);
    if (this._servers.size > 0) return false;
    this._end();
    return true;
  }

  /**
   * What it counts, from its beginning; what an inspection or a scrape shows of it. `state` is
   * 'connecting', 'connected', 'lost' or 'closed'; all others are numbers: `connects` (of which
   * one is no reconnect), `topics` that are wanted now, messages and bytes of payload each way
   * (`sent` and `sentBytes`, headers included; `received`, `receivedBytes`), `dropped` and
   * `droppedBytes`, `gaps`, `foreign` messages, `waiting` and `waitingBytes` in the queue now, and
   * `lag`, the microseconds that the engine took for its last answer.
   *
   * @return {Object}
   */
  get counts() {
    return this._native.counts();
  }

  /** @return {Promise<void>} Resolved when the engine has all that was asked for so far */
  flush() {
    if (this._isClosed) return Promise.reject(closedError());
    const id = this._nextFlush;
    this._nextFlush = (id + 1) >>> 0;
    return new Promise((resolve, reject) => {
      this._flushes.set(id, { resolve, reject });
      this._hold.acquire();
      this._native.flush(id);
    });
  }

  /** Whether the engine keeps what is published. */
  get keepsHistory() {
    return this._options.historySize !== undefined;
  }

  /** How many bytes may wait for it. */
  get queue() {
    return this._options.maxQueue;
  }

  /**
   * @param {String} name
   * @return {(String|undefined)} Up to where a topic's history was delivered in this process
   */
  positionOf(name) {
    const position = this._isClosed ? null : this._native.position(name);
    return position === null ? undefined : position;
  }

  /**
   * Asks what was published to a topic since a position.
   *
   * @param {String} name
   * @param {String} since
   * @param {Function} callback Called later with a BackboneReplay, or `null` if it closes before
   */
  recover(name, since, callback) {
    const id = this._nextRecovery;
    this._nextRecovery = (id + 1) >>> 0;
    this._recoveries.set(id, callback);
    this._native.recover(id, name, since);
  }

  // What is on its way gets a moment.
  _end() {
    let timer = null;
    const close = () => {
      if (this._isClosed) return;
      this._isClosed = true;
      clearTimeout(timer);
      open.delete(this);
      if (open.size === 0) process.removeListener('exit', onExit);
      this._topics.hub.closeBackbone(this._native);
      for (const { reject } of this._flushes.values()) reject(closedError());
      this._flushes.clear();
      for (const callback of this._recoveries.values()) process.nextTick(callback, null);
      this._recoveries.clear();
      this._hold.release();
    };
    const { state, waiting } = this.counts;
    if (state !== 'connected' || waiting === 0) {
      close();
      return;
    }
    timer = setTimeout(close, CLOSE_FLUSH_LIMIT);
    this.flush().then(close, close);
  }

  _onNews() {
    if (this._isClosed) return;
    for (const event of this._native.take()) {
      if (event.kind === 'flushed') this._onFlushed(event.id);
      else this._events.push(event);
    }
    this._tell();
  }

  _onReplayed(id) {
    const callback = this._recoveries.get(id);
    const replay = this._native.takeReplay(id);
    this._recoveries.delete(id);
    callback(replay);
  }

  _onFlushed(id) {
    const { resolve } = this._flushes.get(id);
    this._flushes.delete(id);
    if (this._flushes.size === 0) this._hold.release();
    resolve();
  }

  _publicEvent({ kind: type, address, text, topic, outage, code, errno, messages, bytes }) {
    switch (type) {
      case 'connected':
        return { type, address, version: text };
      case 'gap':
        return { type, topic, reason: outage ? 'outage' : 'missed' };
      case 'dropped':
        return { type, messages, bytes };
      default:
        return { type, address, error: errorOf(address, text, code, errno) };
    }
  }

  // A listener that throws does not keep the others from what follows.
  _tell() {
    const { _events: events } = this;
    try {
      while (events.length > 0) {
        const event = events.shift();
        if (this._isClosed) continue;
        if (event.kind === 'replayed') this._onReplayed(event.id);
        else this._emit(this._publicEvent(event));
      }
    } finally {
      if (events.length > 0) process.nextTick(() => this._tell());
    }
  }

  _emit(event) {
    // Another thread's topic.
    if (event.type === 'gap' && !this._topics.has(event.topic)) return;
    const listening = [...this._servers].filter((server) => server.listenerCount('backbone') > 0);
    if (listening.length === 0) this._warn(event);
    for (const server of listening) server.emit('backbone', event);
  }

  /** What nobody listens for must not stay unknown altogether. */
  _warn({ error }) {
    if (error === undefined || this._hasWarned) return;
    this._hasWarned = true;
    const text = `The backbone of a WebSocketServer has trouble that nobody listens for: ${error.message}`;
    process.emitWarning(text, 'FerrowsWarning', error.code);
  }
}

function errorOf(address, text, code, errno) {
  const error = new Error(`${address}: ${text}`);
  error.code = errno === 0 ? CODES[code] : getSystemErrorName(-errno);
  if (errno !== 0) error.errno = -errno;
  error.address = address;
  return error;
}

function closedError() {
  return coded(Error, 'FERROWS_ERR_BACKBONE_CLOSED', 'The backbone is closed');
}

module.exports = Backbone;
