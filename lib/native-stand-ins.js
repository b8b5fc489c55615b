// What stands for ws's Receiver and Sender on connections that a worker owns.
// Made when first touched. Runs on: js.

'use strict';

const { Buffer } = require('buffer');
const EventEmitter = require('events');

/**
 * Emits 'conclude' as a Receiver does, before the WebSocket reacts to the close frame.
 */
class ReceiverStandIn extends EventEmitter {
  /** @param {?WebSocket} websocket */
  constructor(websocket) {
    super();
    const options = websocket === null ? {} : websocket._options;
    this._extensions = websocket === null ? {} : websocket._extensions;
    this._maxBufferedChunks = options.maxBufferedChunks | 0;
    this._maxFragments = options.maxFragments | 0;
    this._maxPayload = options.maxPayload | 0;
    this._state = 0;
  }
}

/**
 * Writes frames that were built already, as engine.io does.
 */
class SenderStandIn {
  /** @param {NativeTransport} transport */
  constructor(transport) {
    this._transport = transport;
  }

  get _bufferedBytes() {
    return this._transport.gateBytes;
  }

  get _socket() {
    return this._transport.socket;
  }

  get _state() {
    return 0;
  }

  get _queue() {
    return [];
  }

  /**
   * @param {Array<Buffer|String>} list The header and perhaps the payload
   * @param {Function} [callback]
   */
  sendFrame(list, callback) {
    const bytes =
      list.length === 1 ? list[0] : Buffer.concat(list.map((part) => Buffer.from(part)));
    this._transport.raw(bytes, callback);
  }
}

module.exports = { ReceiverStandIn, SenderStandIn };
