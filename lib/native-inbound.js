// The inbound half of a connection on a worker: what it reports, and when.
//
// Owns: events held back by pause() and by `allowSynchronousEvents: false`, the
// callbacks that wait for bytes to be written, the sequence at the end of the
// connection. Base of native-transport.js, called by bridge.js. Runs on: js.
// Tests: __test__/differential, __test__/process.

'use strict';

const { AsyncResource } = require('async_hooks');

const bridge = require('./bridge');
const { destroyedError, violationError } = require('./errors');
const { ReceiverStandIn } = require('./native-stand-ins');

const {
  COMMAND_RELEASE,
  EVENT_CLOSE,
  EVENT_EOF,
  EVENT_FRAGMENTS,
  EVENT_GONE,
  EVENT_MESSAGE,
  EVENT_PING,
  EVENT_PONG,
  EVENT_VIOLATION,
  EVENT_WRITTEN
} = bridge.layout;

// Events that get a turn of their own with `allowSynchronousEvents: false`.
const STEPS = new Set([EVENT_MESSAGE, EVENT_PING, EVENT_PONG]);

/** A callback that waits for bytes to be written, in the context of its send(). */
class PendingWrite extends AsyncResource {
  constructor(callback) {
    super('FERROWS_WRITE');
    this.callback = callback;
  }
}

class NativeInbound extends bridge.Hold {
  /**
   * @param {Lane} lane
   * @param {Number} slot
   * @param {Number} generation
   */
  constructor(lane, slot, generation) {
    super();
    this.lane = lane;
    this.slot = slot;
    this.generation = generation;
    this.websocket = null;
    this.listener = null;
    // The asynchronous context of what is emitted.
    this.scope = bridge.rootScope;
    this.gone = false;
    this._callbacks = null;
    this._due = 0;
    this._waiting = null;
    this._paused = false;
    this._pausedIn = -1;
    this._stepped = false;
    this._boundaries = null;
    this._receiver = null;
    this._destroyed = false;
    this._destroyedIn = -1;
    this._ended = false;
    this._finished = false;
    this._onFinished = null;
    this._onGone = null;
    this._concluding = null;
  }

  /** What stands for ws's Receiver. */
  get receiver() {
    if (this._receiver === null) this._receiver = new ReceiverStandIn(this);
    return this._receiver;
  }

  /**
   * @param {Function} callback Called once, when the socket is closed and the WebSocket told
   */
  onceGone(callback) {
    this._onGone = callback;
  }

  /**
   * @param {Function} callback Called when our side is finished in order
   */
  onceFinished(callback) {
    if (this._finished) callback();
    else this._onFinished = callback;
  }

  _finish() {
    const { _onFinished: callback } = this;
    this._finished = true;
    this._onFinished = null;
    if (callback !== null) callback();
  }

  /** Called by the bridge. */
  onMessage(data, isBinary) {
    if (this._destroyed && this._destroyedIn !== bridge.currentTurn()) return;
    if (this._holdsBack(EVENT_MESSAGE)) {
      this._waiting.push([EVENT_MESSAGE, isBinary, data]);
    } else {
      this._deliverMessage(data, isBinary);
    }
  }

  _deliverMessage(data, isBinary) {
    const { _boundaries: boundaries, websocket } = this;
    this._boundaries = null;
    if (websocket !== null) websocket._onMessage(data, isBinary, boundaries);
  }

  /** Called by the bridge for everything but messages. */
  onEvent(tag, aux, data) {
    if (tag === EVENT_WRITTEN) {
      this._due += data;
      this.runCallbacks();
    } else if (tag === EVENT_GONE) {
      this._end(data);
    } else if (this._destroyed && this._destroyedIn !== bridge.currentTurn()) {
      // ws reads nothing after terminate(), either; what this turn brought is still delivered.
    } else if (this._holdsBack(tag)) {
      this._waiting.push([tag, aux, data]);
    } else {
      this._deliver(tag, aux, data);
    }
  }

  /** Runs callbacks that are due; one that throws does not cost the others their turn. */
  runCallbacks() {
    try {
      while (this._due > 0) {
        this._due--;
        const write = this._callbacks.shift();
        write.runInAsyncScope(write.callback);
      }
    } finally {
      if (this._due > 0) process.nextTick(runCallbacks, this);
    }
  }

  _holdsBack(tag) {
    if (this._waiting !== null) return true;
    const paused = this._paused && this._pausedIn !== bridge.currentTurn();
    const steps = this._stepped && STEPS.has(tag);
    if (!paused && !steps) return false;
    this._waiting = [];
    if (steps) setImmediate(deliverWaiting, this);
    return true;
  }

  _deliver(tag, aux, data) {
    const { websocket } = this;

    if (tag === EVENT_FRAGMENTS) {
      this._boundaries = data;
    } else if (websocket === null) {
      if (tag === EVENT_EOF) this.end();
    } else if (tag === EVENT_PING) {
      websocket._onPing(data);
    } else if (tag === EVENT_PONG) {
      websocket._onPong(data);
    } else if (tag === EVENT_CLOSE) {
      if (this._receiver !== null) this._receiver.emit('conclude', aux, data);
      websocket._onConclude(aux, data);
    } else if (tag === EVENT_VIOLATION) {
      websocket._onViolation(violationError(aux, data));
    } else if (tag === EVENT_EOF) {
      websocket._onEnd();
    }
  }

  /**
   * Hands over what was held back, all of it if the socket is gone; with
   * `allowSynchronousEvents: false` one message, ping or pong a turn.
   */
  deliverWaiting() {
    let threw = true;
    try {
      this._deliverWaiting();
      threw = false;
    } finally {
      if (threw) setImmediate(deliverWaiting, this);
    }
  }

  _deliverWaiting() {
    let delivered = false;
    while (this._waiting !== null && (!this._paused || this.gone)) {
      if (this._waiting.length === 0) {
        this._waiting = null;
        if (this._concluding !== null) this._concluding();
      } else if (this._stepped && delivered && STEPS.has(this._waiting[0][0])) {
        setImmediate(deliverWaiting, this);
        return;
      } else {
        delivered = true;
        const [tag, aux, data] = this._waiting.shift();
        if (tag === EVENT_MESSAGE) this._deliverMessage(data, aux);
        else this._deliver(tag, aux, data);
      }
    }
  }

  _end(errno) {
    const { lane, slot, generation } = this;

    this.gone = true;
    lane.endpoints[slot] = undefined;
    lane.command(COMMAND_RELEASE, slot, generation, 0);
    this.release();
    if (this._callbacks !== null) {
      this._due = 0;
      for (const write of this._callbacks) {
        write.runInAsyncScope(process.nextTick, undefined, write.callback, destroyedError());
      }
      this._callbacks = null;
    }
    // One tick later, so that failed callbacks come first and a throwing listener harms nobody.
    process.nextTick(conclude, this, errno);
  }
}

/** The turn whose events are being delivered, -1 outside of one. */
function turnOfEvents() {
  return bridge.isDraining() ? bridge.currentTurn() : -1;
}

function runCallbacks(transport) {
  transport.runCallbacks();
}

function deliverWaiting(transport) {
  transport.deliverWaiting();
}

function conclude(transport, errno) {
  transport._concluding = () => finish(transport, errno);
  if (transport._waiting === null) transport._concluding();
  else if (transport._stepped) setImmediate(deliverWaiting, transport);
  // A paused WebSocket still gets what came before the end.
  else transport.deliverWaiting();
}

function finish(transport, errno) {
  const { websocket, _onGone: onGone } = transport;
  transport._concluding = transport._onGone = null;
  const inOrder = transport._ended && !transport._destroyed && errno === 0;
  if (websocket !== null) websocket._onDisconnect();
  if (onGone !== null) onGone(errno);
  if (inOrder) transport._finish();
  try {
    if (websocket !== null) websocket._onGone();
  } finally {
    if (transport.listener !== null) transport.listener.forget();
  }
}

module.exports = { NativeInbound, PendingWrite, deliverWaiting, turnOfEvents };
