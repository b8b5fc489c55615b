// A WebSocket as a Duplex stream.
//
// Owns: how messages become chunks and chunks messages, backpressure both ways,
// and which side's end or error ends the other. Runs on: js. Tests: __test__/stream.

'use strict';

const { Duplex } = require('stream');

const { kTransport } = require('./constants');

const [CONNECTING, CLOSED] = [0, 3];

function emitClose(stream) {
  stream.emit('close');
}

class WebSocketStream extends Duplex {
  constructor(websocket, options) {
    super({
      ...options,
      autoDestroy: false,
      emitClose: false,
      objectMode: false,
      writableObjectMode: false
    });
    this._websocket = websocket;
    // After an error of the WebSocket its closing handshake goes on.
    this._terminates = true;

    websocket.on('message', (data, isBinary) => {
      const text = !isBinary && this._readableState.objectMode;
      if (!this.push(text ? data.toString() : data)) websocket.pause();
    });
    websocket.once('error', (error) => {
      if (this.destroyed) return;
      this._terminates = false;
      this.destroy(error);
    });
    websocket.once('close', () => {
      if (!this.destroyed) this.push(null);
    });
    this.on('end', this._destroyIfDone);
    this.on('error', this._onOwnError);
  }

  _destroyIfDone() {
    if (!this.destroyed && this._writableState.finished) this.destroy();
  }

  // This listener must not be what keeps an error from being thrown.
  _onOwnError(error) {
    this.removeListener('error', this._onOwnError);
    this.destroy();
    if (this.listenerCount('error') === 0) this.emit('error', error);
  }

  _read() {
    if (this._websocket.isPaused) this._websocket.resume();
  }

  _write(chunk, encoding, callback) {
    const { _websocket: websocket } = this;
    if (websocket.readyState === CONNECTING) {
      websocket.once('open', () => this._write(chunk, encoding, callback));
    } else {
      websocket.send(chunk, callback);
    }
  }

  _final(callback) {
    const { _websocket: websocket } = this;
    if (websocket.readyState === CONNECTING) {
      websocket.once('open', () => this._final(callback));
      return;
    }
    // After a failed handshake the error ends the stream.
    if (websocket[kTransport] === null) return;
    websocket[kTransport].onceFinished(() => {
      callback();
      // Otherwise 'end' is still to come and destroys.
      if (this._readableState.endEmitted) this.destroy();
    });
    websocket.close();
  }

  _destroy(error, callback) {
    const { _websocket: websocket } = this;
    if (websocket.readyState === CLOSED) {
      callback(error);
      process.nextTick(emitClose, this);
      return;
    }
    let called = false;
    websocket.once('error', (late) => {
      called = true;
      callback(late);
    });
    websocket.once('close', () => {
      if (!called) callback(error);
      process.nextTick(emitClose, this);
    });
    if (this._terminates) websocket.terminate();
  }
}

/**
 * Wraps a WebSocket in a Duplex stream.
 *
 * @param {WebSocket} websocket
 * @param {DuplexOptions} [options]
 * @return {Duplex}
 */
function createWebSocketStream(websocket, options) {
  return new WebSocketStream(websocket, options);
}

module.exports = createWebSocketStream;
