// The stand-in for net.Socket on connections that Node never saw.
//
// Owns: the surface of net.Socket that people use on request.socket and
// ws._socket. Made when first touched. Runs on: js.

'use strict';

const { Duplex } = require('stream');

const { NOOP } = require('./constants');

class NativeSocket extends Duplex {
  /** @param {NativeTransport} transport */
  constructor(transport) {
    super({ allowHalfOpen: true, emitClose: true });
    this.transport = transport;
    this._addresses = transport.addresses || {};
    this.connecting = false;
    // What is written to a connection that its peer has reset is nobody's uncaught error.
    this.on('error', NOOP);
    transport.onceGone(() => this.destroy());
    if (transport.websocket === null) transport.watch();
  }

  get remoteAddress() {
    return this._addresses.remoteAddress;
  }

  get remotePort() {
    return this._addresses.remotePort;
  }

  get remoteFamily() {
    return this._addresses.family;
  }

  get localAddress() {
    return this._addresses.localAddress;
  }

  get localPort() {
    return this._addresses.localPort;
  }

  get localFamily() {
    return this._addresses.family;
  }

  get bufferSize() {
    return this.transport.bufferedAmount;
  }

  get readyState() {
    return this.destroyed ? 'closed' : 'open';
  }

  /** @return {{address: String, family: String, port: Number}} Of our side */
  address() {
    const { localAddress: address, family, localPort: port } = this._addresses;
    return address === undefined ? {} : { address, family, port };
  }

  /** Disables Nagle's algorithm, or enables it. */
  setNoDelay(noDelay = true) {
    this.transport.setNoDelay(Boolean(noDelay));
    return this;
  }

  /** Sends keep-alive probes after `initialDelay` milliseconds, or stops to. */
  setKeepAlive(enable = false, initialDelay = 0) {
    this.transport.setKeepAlive(Boolean(enable), Math.max(Math.floor(initialDelay / 1000), 0));
    return this;
  }

  /** Calls back, and emits 'timeout', once nothing was written or emitted for a while. */
  setTimeout(milliseconds, callback) {
    clearTimeout(this._timer);
    this._timer = null;
    this.timeout = milliseconds;
    if (milliseconds > 0) {
      this._timer = setTimeout(() => this.emit('timeout'), milliseconds);
      this._timer.unref();
      if (callback) this.once('timeout', callback);
    } else if (callback) {
      this.removeListener('timeout', callback);
    }
    return this;
  }

  /** As net.Socket's: traffic puts the time-out off. */
  _unrefTimer() {
    if (this._timer) this._timer.refresh();
  }

  /** Lets the connection keep the process alive. */
  ref() {
    this.transport.referenced = true;
    return this;
  }

  /** Keeps the connection from keeping the process alive. */
  unref() {
    this.transport.referenced = false;
    return this;
  }

  /** Ends our side and closes the socket when all is written. */
  destroySoon() {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  _read() {}

  _write(chunk, encoding, callback) {
    this._unrefTimer();
    this.transport.raw(chunk, callback);
  }

  _final(callback) {
    // The callback of an empty write comes when everything before it is written.
    this.transport.raw('', (error) => {
      if (!error) this.transport.end();
      callback(error);
    });
  }

  _destroy(error, callback) {
    clearTimeout(this._timer);
    this.transport.destroy();
    callback(error);
  }
}

module.exports = NativeSocket;
