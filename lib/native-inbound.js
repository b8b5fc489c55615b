// The inbound half of a native connection: what the reactor reports, and when a
// WebSocket hears of it.
//
// Owns: events that are held back, what still counts after terminate(). Called by
// the bridge; a part of native-transport.js. Runs on: js.
// Tests: __test__/differential, __test__/process.

'use strict';

const bridge = require('./bridge');
const { Arriving, LARGE } = require('./bridge/arriving');
const {
  kOnConclude,
  kOnLimited,
  kOnMessage,
  kOnPing,
  kOnPong,
  kOnViolation
} = require('./constants');
const { violationError } = require('./errors');
const HeldEvents = require('./held-events');
const { ReceiverStandIn } = require('./native-stand-ins');

const {
  EVENT_BACKPRESSURE,
  EVENT_CLOSE,
  EVENT_DROPPED,
  EVENT_EOF,
  EVENT_EXTRACTED,
  EVENT_FRAGMENTS,
  EVENT_GONE,
  EVENT_LIMITED,
  EVENT_MESSAGE,
  EVENT_PING,
  EVENT_PONG,
  EVENT_VIOLATION,
  EVENT_WRITTEN
} = bridge.layout;

class NativeInbound {
  /**
   * @param {NativeTransport} transport Told of written bytes, of the end of either side, and of
   *     room for events
   * @param {Number} generation Of its slot
   */
  constructor(transport, generation) {
    this._transport = transport;
    this._held = null;
    this._pausedIn = -1;
    this._boundaries = null;
    this._receiver = null;
    this._destroyed = false;
    this._destroyedIn = -1;
    this.generation = generation;
    /** The asynchronous context of what is emitted. */
    this.scope = bridge.rootScope;
    /** Who hears of it, or null. */
    this.websocket = null;
  }

  /** The same if somebody has asked for it, else null. */
  get knownReceiver() {
    return this._receiver;
  }

  /** What stands for ws's Receiver. */
  get receiver() {
    if (this._receiver === null) this._receiver = new ReceiverStandIn(this._transport);
    return this._receiver;
  }

  // PERF: most connections hold nothing back, ever: without it one takes 0.3 KiB less.
  get _holder() {
    if (this._held === null) this._held = new HeldEvents(this);
    return this._held;
  }

  set stepped(on) {
    if (on || this._held !== null) this._holder.stepped = on;
  }

  /** Whether handlers are too busy for what comes. */
  get blocked() {
    return this._held !== null && this._held.blocked;
  }

  set blocked(on) {
    if (on) this._holder.blocked = true;
    else if (this._held !== null) this._held.unblock();
  }

  get isPaused() {
    return this._held !== null && this._held.paused;
  }

  /** Whether reading has to wait for JavaScript. */
  get isFull() {
    return this._held !== null && this._held.isFull;
  }

  /** What came with the current turn is still delivered, and nothing else until `resume()`. */
  pause() {
    this._holder.paused = true;
    this._pausedIn = turnOfEvents();
  }

  resume() {
    if (this._held !== null) this._held.resume();
  }

  /** Called by what holds events back: there is room again, or not. */
  setReading(on) {
    this._transport.setReading(on);
  }

  /** Nothing is to be delivered any more but what came with the current turn, as with ws. */
  stop() {
    if (this._destroyed) return;
    this._destroyed = true;
    this._destroyedIn = turnOfEvents();
  }

  /** Calls back when all that came is delivered. */
  conclude(callback) {
    if (this._held === null) callback();
    else this._held.conclude(callback);
  }

  /**
   * Called by the bridge, with an Arriving if the message is not complete.
   *
   * @param {Buffer} data
   * @param {Boolean} isBinary
   * @param {Boolean} [wasRead] Node had read it: it is delivered before the end, as with ws
   */
  onMessage(data, isBinary, wasRead = false) {
    if (!wasRead && this._isStopped()) return;
    this._transport.touch();
    const isComplete = data.length < LARGE || !(data instanceof Arriving);
    if (isComplete && this._passes(EVENT_MESSAGE)) this.deliver(EVENT_MESSAGE, isBinary, data);
    else this._holder.hold(EVENT_MESSAGE, isBinary, data);
  }

  /** Called by the bridge for everything but messages. */
  onEvent(tag, aux, data, wasRead = false) {
    this._transport.touch();
    if (tag === EVENT_WRITTEN) this._transport.onWritten(data);
    else if (tag === EVENT_DROPPED) this._transport.onDropped(data);
    else if (tag === EVENT_BACKPRESSURE) this._transport.onBackpressure(aux);
    else if (tag === EVENT_GONE) this._transport.onGone(data);
    else if (!wasRead && this._isStopped()) this._skip(tag);
    else if (this._passes(tag)) this.deliver(tag, aux, data);
    else this._holder.hold(tag, aux, data);
  }

  // Whoever was terminated hears nothing, but the connection still has to be forgotten.
  _skip(tag) {
    if (tag === EVENT_EXTRACTED) this._transport.onExtracted();
  }

  _isStopped() {
    return this._destroyed && this._destroyedIn !== bridge.currentTurn();
  }

  _passes(tag) {
    const { _held: held } = this;
    if (held === null) return true;
    return held.passes(tag, held.paused && this._pausedIn !== bridge.currentTurn());
  }

  /** Tells who wants to know. */
  deliver(tag, aux, data) {
    const { websocket } = this;

    if (tag === EVENT_MESSAGE) {
      const { _boundaries: boundaries } = this;
      this._boundaries = null;
      if (websocket !== null) websocket[kOnMessage](data, aux, boundaries);
    } else if (tag === EVENT_FRAGMENTS) {
      this._boundaries = data;
    } else if (tag === EVENT_EXTRACTED) {
      this._transport.onExtracted();
    } else if (tag === EVENT_EOF) {
      this._transport.onEnd();
    } else if (websocket === null) {
      return;
    } else if (tag === EVENT_PING) {
      websocket[kOnPing](data);
    } else if (tag === EVENT_PONG) {
      websocket[kOnPong](data);
    } else if (tag === EVENT_CLOSE) {
      if (this._receiver !== null) this._receiver.emit('conclude', aux, data);
      else websocket[kOnConclude](aux, data);
    } else if (tag === EVENT_VIOLATION) {
      websocket[kOnViolation](violationError(aux, data));
    } else if (tag === EVENT_LIMITED) {
      websocket[kOnLimited](aux);
    }
  }
}

/** The turn whose events are being delivered, -1 outside of one. */
function turnOfEvents() {
  return bridge.isDraining() ? bridge.currentTurn() : -1;
}

module.exports = NativeInbound;
