// The net.Socket of a connection that a reactor has.
//
// Owns: the one mechanism for both modes: a genuine net.Socket (Node's own, or made
// when first touched) over a handle of ours, and in front of its prototype a layer
// that knows what such a connection does natively. Whatever else is touched gives
// the socket back (demotion.js). Used by takeover.js and native-transport.js.
// Runs on: js. Tests: __test__/differential/socket-*.test.js, COMPAT.md has the table.

'use strict';

const net = require('net');

const { NOOP, kOnEnd, kOnSocketError } = require('./constants');
const demotion = require('./demotion');
const { cutOffErrors } = require('./errors');
const { NativeHandle, NativeTcpHandle, STATES } = require('./native-handle');

const { prototype: genuine } = net.Socket;
const kNative = Symbol('kNative');

// Events that only a socket has that really reads.
const READING = new Set(['data', 'readable']);
// Methods and accessors whose code of Node's does the right thing on a native connection: it
// asks the handle, or the state of the two streams.
const ASKS_HANDLE = ['_final', '_getpeername', '_getsockname', 'ref', 'setKeepAlive', 'setNoDelay'];
ASKS_HANDLE.push('unref');
const GETS_FROM_HANDLE = ['_bytesDispatched', 'bytesRead', 'bytesWritten', 'pending'];
const AS_IT_IS = new Set([
  ...['_undestroy', '_unrefTimer', 'address', 'constructor', 'destroySoon'],
  ...['getMaxListeners', 'isPaused', 'setDefaultEncoding', 'setMaxListeners']
]);

// Whose handle Node's code may see just now.
let asked = null;

/** Runs code of Node's that asks the handle. */
function asking(socket, act) {
  const before = asked;
  asked = socket;
  try {
    return act();
  } finally {
    asked = before;
  }
}

const isNative = (socket) => {
  const { [kNative]: handle } = socket;
  return handle !== undefined && handle.state === STATES.NATIVE;
};

/**
 * Gives a socket back to its user, if a reactor has its connection.
 *
 * @param {net.Socket} socket
 * @param {?Error} [lost] What becomes of what is not written, if nothing is written any more
 */
function giveBack(socket, lost = null) {
  if (!isNative(socket)) return;
  const { [kNative]: handle } = socket;
  leave(socket, STATES.GIVEN_BACK);
  const isReal = demotion.demote(handle.transport, socket, handle, lost);
  if (isReal && handle.heir === null) unbind(socket, handle.transport);
}

function leave(socket, state) {
  socket[kNative].state = state;
  Object.setPrototypeOf(socket, genuine);
  // Where http has put methods of its own on the socket.
  for (const name of LISTENING) {
    if (Object.prototype.hasOwnProperty.call(socket, name) && socket[name] === layer[name]) {
      socket[name] = genuine[name];
    }
  }
}

/** Members of the layer that do something natively. */
const native = {
  get _handle() {
    if (asked === this) return this[kNative];
    giveBack(this);
    return this._handle;
  },

  set _handle(handle) {
    giveBack(this);
    this._handle = handle;
  },

  get bufferSize() {
    return this.writableLength;
  },

  get writableLength() {
    return this[kNative].transport.writableLength;
  },

  get writableNeedDrain() {
    return !this.destroyed && !this.writableEnded && this[kNative].needsDrain();
  },

  get readableLength() {
    // What a socket reads while it is paused waits in its buffer.
    if (this.isPaused()) giveBack(this);
    return Reflect.get(genuine, 'readableLength', this);
  },

  eventNames() {
    // Where ws has its listener.
    const names = genuine.eventNames.call(this);
    names.splice(names.indexOf('close') + 1, 0, 'data');
    return names;
  },

  pause() {
    genuine.pause.call(this);
    if (isNative(this)) this[kNative].transport.pauseReading();
    return this;
  },

  resume() {
    genuine.resume.call(this);
    if (isNative(this)) this[kNative].transport.resumeReading();
    return this;
  },

  read(size) {
    // A socket that flows has nothing to read, and Node looks whether it has.
    if (!this._readableState.ended) {
      if (size === 0 || this.readableFlowing === true) return null;
      giveBack(this);
    }
    return genuine.read.call(this, size);
  },

  end(data, encoding, callback) {
    const isEmpty = data === undefined || data === null || typeof data === 'function';
    if (!isEmpty) giveBack(this);
    return genuine.end.call(this, data, encoding, callback);
  },

  uncork() {
    return genuine.uncork.call(this);
  },

  setTimeout(milliseconds, callback) {
    genuine.setTimeout.call(this, milliseconds, callback);
    if (isNative(this)) this[kNative].setTimed(this.timeout > 0);
    return this;
  },

  _onTimeout() {
    if (!isNative(this)) genuine._onTimeout.call(this);
    else if (this[kNative].hasProgressed()) this._unrefTimer();
    else this.emit('timeout');
  },

  resetAndDestroy() {
    if (!(this[kNative] instanceof NativeTcpHandle)) giveBack(this);
    if (!isNative(this)) return genuine.resetAndDestroy.call(this);
    this.resetAndClosing = true;
    return this.destroy();
  },

  destroy(error) {
    // What a paused socket has read is delivered when it is destroyed.
    if (!this.destroyed && this.isPaused() && isNative(this)) {
      if (this[kNative].transport.websocket !== null)
        giveBack(this, error || cutOffErrors(null).others);
    }
    return genuine.destroy.call(this, error);
  },

  _destroy(error, callback) {
    // From here on it is a socket of Node's that is closing.
    if (isNative(this)) {
      if (error) this[kNative].transport.noteFailure(error);
      leave(this, STATES.CLOSING);
    }
    genuine._destroy.call(this, error, callback);
  },

  removeAllListeners(...names) {
    if (names.length === 0 || READING.has(names[0])) giveBack(this);
    return genuine.removeAllListeners.apply(this, names);
  }
};

// Methods whose first argument is the name of an event.
const LISTENING = ['addListener', 'on', 'once', 'prependListener', 'prependOnceListener'];
const ABOUT_EVENTS = [...LISTENING, 'emit', 'listenerCount', 'listeners', 'off', 'rawListeners'];
ABOUT_EVENTS.push('removeListener');

const layer = makeLayer();

function makeLayer() {
  const members = Object.create(genuine);
  for (const [name, { enumerable, value }] of membersOf(genuine)) {
    const own = Object.getOwnPropertyDescriptor(native, name);
    const define = (property) => Object.defineProperty(members, name, { ...property, enumerable });
    if (own !== undefined) {
      define(own.get ? own : method(name, own.value));
    } else if (ABOUT_EVENTS.includes(name)) {
      define(method(name, aboutEvents(name)));
    } else if (ASKS_HANDLE.includes(name)) {
      define(method(name, askingHandle(name)));
    } else if (GETS_FROM_HANDLE.includes(name)) {
      define({
        configurable: true,
        get() {
          return asking(this, () => Reflect.get(genuine, name, this));
        }
      });
    } else if (typeof value === 'function' && !AS_IT_IS.has(name)) {
      define(method(name, givingBack(name)));
    }
  }
  // A data property of the socket in versions of Node that have no accessor for it.
  if (!('_handle' in genuine)) {
    Object.defineProperty(members, '_handle', Object.getOwnPropertyDescriptor(native, '_handle'));
  }
  return members;
}

/** Every named member of a prototype and its own prototypes, and the iterator, nearest first. */
function membersOf(prototype) {
  const members = new Map();
  let next = prototype;
  // Up to Object.prototype, which may be another realm's.
  for (
    let above = Object.getPrototypeOf(next);
    above !== null;
    above = Object.getPrototypeOf(next)
  ) {
    const names = [...Object.getOwnPropertyNames(next), Symbol.asyncIterator];
    for (const name of names) {
      const descriptor = Object.getOwnPropertyDescriptor(next, name);
      if (descriptor !== undefined && !members.has(name)) members.set(name, descriptor);
    }
    next = above;
  }
  return members;
}

/** A method; who puts another in its place on a socket wants to see what passes. */
function method(name, value) {
  return {
    configurable: true,
    get: () => value,
    set(replacement) {
      // Node replaces `write` itself when the peer has finished its side.
      if (name !== 'write' || this.allowHalfOpen || !this.readableEnded) giveBack(this);
      Object.defineProperty(this, name, {
        configurable: true,
        enumerable: true,
        value: replacement,
        writable: true
      });
    }
  };
}

function givingBack(name) {
  return function (...args) {
    giveBack(this);
    return genuine[name].apply(this, args);
  };
}

function askingHandle(name) {
  return function (...args) {
    if (!isNative(this)) return genuine[name].apply(this, args);
    return asking(this, () => genuine[name].apply(this, args));
  };
}

function aboutEvents(name) {
  return function (event, ...rest) {
    // The stream itself says that it is readable when it ends.
    if (READING.has(event) && !(name === 'emit' && event === 'readable')) giveBack(this);
    const result = genuine[name].call(this, event, ...rest);
    if (event === 'drain' && isNative(this) && LISTENING.includes(name)) {
      this[kNative].expectDrain();
    }
    return result;
  };
}

// What ws's own listeners do. They stay where they are when the socket is given back.

function onEnd() {
  const { heir, transport } = this[kNative];
  if (heir !== null) heir.onEnd();
  else if (transport.websocket !== null) transport.websocket[kOnEnd]();
  else transport.end();
}

function onError() {
  const { heir, transport } = this[kNative];
  this.removeListener('error', onError);
  this.on('error', NOOP);
  if (heir !== null || transport.websocket !== null) transport.websocket[kOnSocketError]();
  this.destroy();
}

function onClose() {
  const { heir, transport } = this[kNative];
  this.removeListener('close', onClose);
  this.removeListener('end', onEnd);
  if (heir !== null) {
    transport.stopEvents();
    heir.onClose();
    transport.forgetListener();
  } else {
    transport.onSocketClosed();
  }
}

function bind(socket, handle) {
  handle.owner = socket;
  handle.transport.handle = handle;
  socket[kNative] = handle;
  genuine.on.call(socket, 'close', onClose);
  genuine.on.call(socket, 'end', onEnd);
  genuine.on.call(socket, 'error', onError);
  Object.setPrototypeOf(socket, layer);
}

/** A socket without a WebSocket is like any other, but for an error that would be nobody's. */
function unbind(socket, transport) {
  socket.removeListener('close', onClose);
  socket.removeListener('end', onEnd);
  socket.removeListener('error', onError);
  socket[kNative] = undefined;
  genuine.on.call(socket, 'error', guard);
  genuine.on.call(socket, 'close', () => transport.forgetListener());
}

/** Takes the guard away that a socket without a WebSocket has. */
function release(socket) {
  socket.removeListener('error', guard);
}

function guard() {
  this.destroy();
}

function refuseEncoding() {
  const error = new Error('Changing the socket encoding is not allowed per RFC7230 Section 3.');
  error.code = 'ERR_HTTP_SOCKET_ENCODING';
  throw error;
}

/**
 * Whoever asks a socket for its http.Server gets it. From what `_server` names Node takes one
 * connection off when it destroys the socket, so that the listener has not to.
 */
function serverOf(transport, name) {
  const { listener } = transport;
  const settle = (socket, value) => {
    const property = { configurable: true, enumerable: true, value, writable: true };
    Object.defineProperty(socket, name, property);
    return value;
  };
  return {
    configurable: true,
    enumerable: true,
    get() {
      if (name === '_server') {
        // Node looks while it destroys the socket: the listener counts this connection itself.
        if (this.destroyed && !this._readableState.closeEmitted) return null;
        if (!this.destroyed) transport.listener = null;
      }
      return settle(this, listener.becomeServer());
    },
    set(value) {
      settle(this, value);
    }
  };
}

/**
 * Makes the socket object of a connection that Node never saw.
 *
 * @param {NativeTransport} transport
 * @return {net.Socket}
 */
function makeSocket(transport) {
  const handle = new NativeTcpHandle(transport);
  const socket = new net.Socket({ handle, allowHalfOpen: true });
  // As a server of Node's leaves them.
  socket.parser = null;
  socket.setEncoding = refuseEncoding;
  socket._paused = false;
  for (const name of ['server', '_server']) {
    Object.defineProperty(socket, name, serverOf(transport, name));
  }
  bind(socket, handle);
  return socket;
}

/**
 * Puts a socket of Node's over a connection that has just left it.
 *
 * @param {net.Socket} socket
 * @param {NativeTransport} transport
 */
function wrapSocket(socket, transport) {
  const { _handle: former } = socket;
  const Handle = typeof former.getpeername === 'function' ? NativeTcpHandle : NativeHandle;
  const { bytesRead, bytesWritten } = former;
  const handle = new Handle(transport, { bytesRead, bytesWritten });
  // Node finds the socket of a handle through a symbol of its own.
  for (const symbol of Object.getOwnPropertySymbols(former)) handle[symbol] = former[symbol];
  socket._handle = handle;
  bind(socket, handle);
  for (const name of LISTENING) {
    if (Object.prototype.hasOwnProperty.call(socket, name)) {
      const { get, set } = method(name, layer[name]);
      Object.defineProperty(socket, name, { get, set });
    }
  }
}

/**
 * @param {Duplex} socket
 * @return {?NativeTransport} The connection in a reactor that a socket object stands for
 */
function nativeOf(socket) {
  return isNative(socket) ? socket[kNative].transport : null;
}

/** Ends the reading side of a native socket, as the end that a peer sends does. */
function finishReading(socket) {
  if (socket.destroyed || socket._readableState.ended) return;
  genuine.push.call(socket, null);
  genuine.read.call(socket, 0);
}

/** A socket object that is made now is as one that was there from the beginning. */
function catchUp(socket, { isAttached, isPaused, hasEnded, isOver }) {
  if (isPaused) genuine.pause.call(socket);
  else if (isAttached) socket.readableFlowing = true;
  if (isAttached) socket.timeout = 0;
  if (hasEnded) socket.end();
  if (isOver) socket.destroy();
}

module.exports = { catchUp, finishReading, giveBack, makeSocket, nativeOf, release, wrapSocket };
