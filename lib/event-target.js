// ws's emulation of the browser's EventTarget on top of EventEmitter.
//
// Owns: the event classes, addEventListener / removeEventListener, the onX
// attributes. Mixed into WebSocket. Runs on: js.
// COMPAT(ws 8.23): registrations are wrapper functions on the same emitter,
// visible in listeners() and driven by emit().

'use strict';

const { kForOnEventAttribute, kListener } = require('./constants');

const kCode = Symbol('kCode');
const kData = Symbol('kData');
const kError = Symbol('kError');
const kMessage = Symbol('kMessage');
const kReason = Symbol('kReason');
const kTarget = Symbol('kTarget');
const kType = Symbol('kType');
const kWasClean = Symbol('kWasClean');

/** An event, in the shape of the DOM's. */
class Event {
  /** @param {String} type */
  constructor(type) {
    this[kTarget] = null;
    this[kType] = type;
  }

  /** @type {*} */
  get target() {
    return this[kTarget];
  }

  /** @type {String} */
  get type() {
    return this[kType];
  }
}

/** The end of a connection. */
class CloseEvent extends Event {
  /**
   * @param {String} type
   * @param {{code: Number, reason: String, wasClean: Boolean}} [options]
   */
  constructor(type, options = {}) {
    super(type);
    this[kCode] = options.code === undefined ? 0 : options.code;
    this[kReason] = options.reason === undefined ? '' : options.reason;
    this[kWasClean] = options.wasClean === undefined ? false : options.wasClean;
  }

  /** @type {Number} */
  get code() {
    return this[kCode];
  }

  /** @type {String} */
  get reason() {
    return this[kReason];
  }

  /** @type {Boolean} */
  get wasClean() {
    return this[kWasClean];
  }
}

/** An error. */
class ErrorEvent extends Event {
  /**
   * @param {String} type
   * @param {{error: *, message: String}} [options]
   */
  constructor(type, options = {}) {
    super(type);
    this[kError] = options.error === undefined ? null : options.error;
    this[kMessage] = options.message === undefined ? '' : options.message;
  }

  /** @type {*} */
  get error() {
    return this[kError];
  }

  /** @type {String} */
  get message() {
    return this[kMessage];
  }
}

/** A message; text is a string here. */
class MessageEvent extends Event {
  /**
   * @param {String} type
   * @param {{data: *}} [options]
   */
  constructor(type, options = {}) {
    super(type);
    this[kData] = options.data === undefined ? null : options.data;
  }

  /** @type {*} */
  get data() {
    return this[kData];
  }
}

function makeEnumerable(Class, ...names) {
  for (const name of names) Object.defineProperty(Class.prototype, name, { enumerable: true });
}

makeEnumerable(Event, 'target', 'type');
makeEnumerable(CloseEvent, 'code', 'reason', 'wasClean');
makeEnumerable(ErrorEvent, 'error', 'message');
makeEnumerable(MessageEvent, 'data');

// How the arguments of each event become an event object.
const builders = {
  open: () => new Event('open'),
  message: (target, data, isBinary) =>
    new MessageEvent('message', { data: isBinary ? data : data.toString() }),
  close: (target, code, reason) =>
    new CloseEvent('close', {
      code,
      reason: reason.toString(),
      wasClean: target._closeFrameReceived && target._closeFrameSent
    }),
  error: (target, error) => new ErrorEvent('error', { error, message: error.message })
};

// Where the results of handlers go while somebody wants to know them.
let results = null;

function dispatch(handler, target, event) {
  event[kTarget] = target;
  const result =
    typeof handler === 'object' && handler.handleEvent
      ? handler.handleEvent.call(handler, event)
      : handler.call(target, event);
  if (results !== null) results.push(result);
}

/**
 * What a listener returns: itself, or, if it is a wrapper of addEventListener(), which returns
 * nothing, the handler in it.
 *
 * @param {Function} call Calls it
 * @return {Array}
 */
function resultsOf(call) {
  const outer = results;
  const inner = (results = []);
  try {
    inner.push(call());
  } finally {
    results = outer;
  }
  return inner;
}

const EventTarget = {
  /**
   * Registers an event listener.
   *
   * @param {String} type `open`, `message`, `close` or `error`; others are ignored
   * @param {(Function|Object)} handler
   * @param {{once: Boolean}} [options]
   */
  addEventListener(type, handler, options = {}) {
    for (const listener of this.listeners(type)) {
      const same = listener[kListener] === handler && !listener[kForOnEventAttribute];
      if (!options[kForOnEventAttribute] && same) return;
    }
    if (!Object.prototype.hasOwnProperty.call(builders, type)) return;

    const build = builders[type];
    const wrapper = function (...args) {
      dispatch(handler, this, build(this, ...args));
    };
    wrapper[kForOnEventAttribute] = Boolean(options[kForOnEventAttribute]);
    wrapper[kListener] = handler;

    if (options.once) this.once(type, wrapper);
    else this.on(type, wrapper);
  },

  /**
   * Removes an event listener that addEventListener() registered.
   *
   * @param {String} type
   * @param {(Function|Object)} handler
   */
  removeEventListener(type, handler) {
    for (const listener of this.listeners(type)) {
      if (listener[kListener] === handler && !listener[kForOnEventAttribute]) {
        this.removeListener(type, listener);
        break;
      }
    }
  }
};

function attributeListener(emitter, type) {
  return emitter.listeners(type).find((listener) => listener[kForOnEventAttribute]);
}

/**
 * Adds addEventListener(), removeEventListener() and the onX attributes to a class.
 *
 * @param {Object} prototype Of a class that extends EventEmitter
 */
function mixInto(prototype) {
  for (const type of Object.keys(builders)) {
    Object.defineProperty(prototype, `on${type}`, {
      configurable: true,
      enumerable: true,
      get() {
        const listener = attributeListener(this, type);
        return listener === undefined ? null : listener[kListener];
      },
      set(handler) {
        const listener = attributeListener(this, type);
        if (listener !== undefined) this.removeListener(type, listener);
        if (typeof handler !== 'function') return;
        this.addEventListener(type, handler, { [kForOnEventAttribute]: true });
      }
    });
  }
  prototype.addEventListener = EventTarget.addEventListener;
  prototype.removeEventListener = EventTarget.removeEventListener;
}

module.exports = { CloseEvent, ErrorEvent, Event, MessageEvent, mixInto, resultsOf };
