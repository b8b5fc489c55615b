// What stands for ws's Receiver and Sender on connections that a reactor has.
//
// Owns: their members, which are as on a connection at rest; what takes effect of
// them natively. Whoever wants more of a Receiver gets a real one: the connection
// goes back to Node. Made when first touched. Runs on: js.
// Tests: __test__/differential/stand-ins.test.js.

'use strict';

const { Writable } = require('stream');

const Receiver = require('./receiver');
const Sender = require('./sender');
const { kOnConclude, kOptions } = require('./constants');
const { OF_RECEIVER, OF_SENDER } = require('./replaced');

// Events that only a Receiver has that really decodes.
const DECODING = new Set(['message', 'ping', 'pong', 'error', 'drain', 'finish', 'close']);

/**
 * Emits 'conclude' as a Receiver does; the WebSocket reacts to it.
 */
class ReceiverStandIn extends Writable {
  /** @param {NativeTransport} transport */
  constructor(transport) {
    super();
    const { websocket } = transport;
    const options = websocket === null ? {} : websocket[kOptions];
    this._transport = transport;
    this._real = null;
    this._allowSynchronousEvents = options.allowSynchronousEvents !== false;
    this._binaryType = websocket === null ? 'nodebuffer' : websocket.binaryType;
    this._extensions = websocket === null ? {} : websocket._extensions;
    this._isServer = websocket !== null && websocket._isServer;
    this._limit = options.maxPayload | 0;
    this._maxBufferedChunks = options.maxBufferedChunks | 0;
    this._maxFragments = options.maxFragments | 0;
    this._skipUTF8Validation = Boolean(options.skipUTF8Validation);
    // As ws's own listener: who listens later hears of it when the WebSocket has reacted.
    this._onConclude = (code, reason) => transport.websocket[kOnConclude](code, reason);
    Writable.prototype.on.call(this, 'conclude', this._onConclude);
    // A Receiver at rest, between two frames.
    this._bufferedBytes = 0;
    this._buffers = [];
    this._compressed = false;
    this._errored = false;
    this._fin = false;
    this._fragmented = 0;
    this._fragments = [];
    this._loop = false;
    this._mask = undefined;
    this._masked = false;
    this._messageLength = 0;
    this._numFragments = 0;
    this._opcode = 0;
    this._payloadLength = 0;
    this._state = 0;
    this._totalPayloadLength = 0;
  }

  /** The largest message. What is written here counts from the next frame on. */
  get _maxPayload() {
    return this._limit;
  }

  set _maxPayload(limit) {
    this._limit = limit;
    if (this._real !== null) this._real._maxPayload = limit;
    else this._transport.setMaxPayload(Math.max(limit | 0, 0));
  }

  /** Bytes from elsewhere are decoded as if the peer had sent them. */
  _write(chunk, encoding, callback) {
    // Of the real one, too, for who has kept the method and replaced it.
    const real = this._transport === undefined ? this : this._real;
    if (real !== null) {
      Reflect.apply(Receiver.prototype._write, real, [chunk, encoding, callback]);
      return;
    }
    this._transport.giveBack();
    if (this._real !== null) this._real.write(chunk, encoding, callback);
    else callback();
  }

  emit(...args) {
    return Reflect.apply(Writable.prototype.emit, this._real || this, args);
  }

  /** Those of a Receiver that a WebSocket listens to. */
  eventNames() {
    this._transport.giveBack();
    return Reflect.apply(Writable.prototype.eventNames, this._real || this, []);
  }

  write(...args) {
    if (!this._real) return super.write(...args);
    return Reflect.apply(Receiver.prototype.write, this._real, args);
  }

  /** A real one decodes from now on; who listens here listens there. */
  follow(receiver) {
    const listeners = this.rawListeners('conclude');
    // Those before and behind ours; the real one has its own.
    const at = listeners.indexOf(this._onConclude);
    this._real = receiver;
    receiver._maxPayload = this._limit;
    for (const listener of listeners.slice(0, Math.max(at, 0)).reverse()) {
      receiver.prependListener('conclude', listener);
    }
    for (const listener of listeners.slice(at + 1)) receiver.on('conclude', listener);
  }
}

const LISTENING = ['addListener', 'on', 'once', 'prependListener', 'prependOnceListener'];
const ABOUT_LISTENERS = ['listenerCount', 'listeners', 'off', 'rawListeners', 'removeAllListeners'];
ABOUT_LISTENERS.push('removeListener');

for (const name of [...LISTENING, ...ABOUT_LISTENERS]) {
  const { [name]: method } = Writable.prototype;
  Object.defineProperty(ReceiverStandIn.prototype, name, {
    configurable: true,
    writable: true,
    value(event, ...rest) {
      if (DECODING.has(event)) this._transport.giveBack();
      return Reflect.apply(
        method,
        this._real || this,
        arguments.length === 0 ? [] : [event, ...rest]
      );
    }
  });
}

/**
 * Has whoever replaces methods of a stand-in replace those of the real one.
 *
 * @param {Object} prototype Of the stand-in, which has `_transport` and, after `follow()`, `_real`
 * @param {String[]} names
 */
function letReplace(prototype, names) {
  for (const name of names) {
    const { [name]: method } = prototype;
    Object.defineProperty(prototype, name, {
      configurable: true,
      get: () => method,
      set(replacement) {
        const property = { configurable: true, enumerable: true, writable: true };
        Object.defineProperty(this, name, { ...property, value: replacement });
        this._transport.giveBack();
        if (this._real !== null) this._real[name] = replacement;
      }
    });
  }
}

// Its gate is the transport's, if there is one.
const NO_SOCKET = Object.freeze({ destroyed: false });

/**
 * Frames and writes through the reactor.
 */
class SenderStandIn extends Sender {
  /** @param {NativeTransport} transport */
  constructor(transport) {
    const { websocket } = transport;
    super(NO_SOCKET, websocket === null ? {} : websocket._extensions);
    Object.defineProperty(this, '_socket', {
      configurable: true,
      enumerable: true,
      get: () => transport.socket,
      set: () => {}
    });
    Object.defineProperty(this, '_transport', { value: transport });
    Object.defineProperty(this, '_real', { value: null, writable: true });
  }

  get _bufferedBytes() {
    return this._transport.gateBytes;
  }

  get _state() {
    const { gate } = this._transport;
    return gate === null ? 0 : gate.state;
  }

  get _queue() {
    const { gate } = this._transport;
    return gate === null ? [] : gate.queue;
  }

  /** A real one writes from now on. */
  follow(sender) {
    this._real = sender;
  }

  writeFrame(opcode, data, fin, mask, callback, compress) {
    if (this._real !== null) this._real.writeFrame(opcode, data, fin, mask, callback, compress);
    else
      this._transport.frame(opcode, data, Boolean(fin), Boolean(mask), callback, Boolean(compress));
  }

  /**
   * Writes frames that were built already, as engine.io does.
   *
   * @param {Array<Buffer|String>} list The header and perhaps the payload
   * @param {Function} [callback]
   */
  sendFrame(list, callback) {
    // Of the real one, too, for who has kept the method and replaced it.
    const real = this._transport === undefined ? this : this._real;
    if (real !== null) Reflect.apply(Sender.prototype.sendFrame, real, [list, callback]);
    else this._transport.rawParts(list, callback);
  }
}

letReplace(ReceiverStandIn.prototype, OF_RECEIVER);
letReplace(SenderStandIn.prototype, OF_SENDER);

module.exports = { ReceiverStandIn, SenderStandIn };
