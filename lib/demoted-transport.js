// The stream transport of a connection that a reactor had before.
//
// Owns: going on with the reactor's decoder, and waiting until the events that it
// reported are delivered. Made by demotion.js. Runs on: js.
// Tests: __test__/differential/socket-demotion.test.js.

'use strict';

const { EMPTY_BUFFER, kOptions, kWebSocket } = require('./constants');
const Receiver = require('./receiver');
const StreamTransport = require('./stream-transport');

// Bit of what the codec returns: it inflates on when it is asked to.
const SUSPENDED_BIT = 0x40000000;

/** A Receiver with a decoder that has decoded before, and that inflates by itself. */
class DemotedReceiver extends Receiver {
  constructor(options, codec) {
    super(options, codec);
    this._resuming = false;
  }

  _take(result) {
    // The chunk is not finished before what is inflated of it is.
    this._isInflating = (result & SUSPENDED_BIT) !== 0;
    super._take(result);
  }

  _emitEvents() {
    super._emitEvents();
    const isEmitted = this._cursor === this._end && !this._more;
    if (!this._isInflating || !isEmitted || this._resuming || this._chunk === null) return;
    // Others get their turn between two slices.
    this._resuming = true;
    setImmediate(inflateOn, this);
  }
}

function inflateOn(receiver) {
  receiver._resuming = false;
  if (receiver._chunk === null || receiver.destroyed) return;
  receiver._take(receiver._codec.resume(receiver._heads));
  receiver._emitEvents();
}

class DemotedTransport extends StreamTransport {
  /**
   * @param {net.Socket} socket
   * @param {WebSocket} websocket
   * @param {Codec} codec
   * @param {Boolean} isInflating Whether the decoder is in the middle of it
   */
  constructor(socket, websocket, codec, isInflating) {
    const { _extensions: extensions, _isServer: isServer, [kOptions]: options } = websocket;
    const settings = { ...options, binaryType: undefined, extensions, isServer };
    const receiver = new DemotedReceiver(settings, codec);
    super(socket, EMPTY_BUFFER, options, isServer, extensions, receiver);
    // Events of the reactor come first.
    receiver.cork();
    if (isInflating) receiver.write(EMPTY_BUFFER);
  }

  /** Reports to `websocket` from now on; the listeners of the native socket call us. */
  attach(websocket) {
    const { socket } = this;
    this.report(websocket);
    socket.on('data', this._onData);
    socket[kWebSocket] = websocket;
  }

  /** The events of the reactor are delivered. */
  begin() {
    this.receiver.uncork();
  }
}

module.exports = { DemotedTransport };
