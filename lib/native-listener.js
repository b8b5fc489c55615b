// Port mode: a listening socket on a worker, with the surface of http.Server
// that users of wss._server touch.
//
// Owns: binding, the upgrade requests of this listener, its connection count.
// Called by websocket-server.js. Runs on: js.

'use strict';

const { AsyncResource } = require('async_hooks');
const dns = require('dns');
const EventEmitter = require('events');
const net = require('net');

const bridge = require('./bridge');
const { listenError } = require('./errors');
const { NativeTransport } = require('./native-transport');
const upgradeRequest = require('./upgrade-request');

const DEFAULT_BACKLOG = 511;
// Since Node 24 a new connection is announced in the context of listen(), before in none.
const CONTEXT_OF_LISTEN = parseInt(process.versions.node) >= 24;

class NativeListener extends EventEmitter {
  /** @param {Function} onUpgrade Called with (request, transport) */
  constructor(onUpgrade) {
    super();
    this._scope = CONTEXT_OF_LISTEN ? new AsyncResource('WebSocketServer') : bridge.rootScope;
    this._connections = 0;
    this._bound = null;
    this._closing = false;
    this._deliver = onUpgrade;
    this._hold = new bridge.Hold();
    this.listening = false;
  }

  /**
   * Binds and listens; 'listening' or 'error' follows.
   *
   * @param {{backlog: Number, host: String, port: Number}} options
   * @param {Function} [callback] A listener for 'listening'
   */
  listen({ backlog, host, port }, callback) {
    if (callback) this.once('listening', callback);
    const listen = (...addresses) => this._listen(addresses, Number(port), backlog);

    if (!host) {
      listen('::', '0.0.0.0');
    } else if (net.isIP(host)) {
      listen(host);
    } else {
      this._hold.acquire();
      dns.lookup(host, (error, address) => {
        if (this._closing) return;
        if (error) this._fail(error);
        else listen(address);
      });
    }
    return this;
  }

  _listen(addresses, port, backlog) {
    this._hold.acquire();
    const options = { port, backlog: backlog > 0 ? backlog : DEFAULT_BACKLOG, ipv6Only: false };
    let outcome;
    for (const address of addresses) {
      outcome = bridge.listen(this, { ...options, address });
      if (outcome.errno === 0) break;
      // Only a system without IPv6 makes Node try the next one.
      const error = listenError(outcome.errno, address, port);
      if (
        !['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(error.code) ||
        addresses.length < 2
      ) {
        process.nextTick(() => this._fail(error));
        return;
      }
      addresses = addresses.slice(1);
    }
    if (outcome.errno !== 0) {
      process.nextTick(() => this._fail(listenError(outcome.errno, addresses[0], port)));
      return;
    }
    this._bound = outcome;
    this.listening = true;
    process.nextTick(() => {
      if (this._bound !== null) this.emit('listening');
    });
  }

  _fail(error) {
    this._hold.release();
    this.emit('error', error);
  }

  /** @return {?{address: String, family: String, port: Number}} */
  address() {
    if (this._bound === null) return null;
    const { address, family, port } = this._bound;
    return { address, family, port };
  }

  /** Lets the listener keep the process alive. */
  ref() {
    this._hold.referenced = true;
    return this;
  }

  /** Keeps the listener from keeping the process alive. */
  unref() {
    this._hold.referenced = false;
    return this;
  }

  /** Calls back with (error, count) of the connections. */
  getConnections(callback) {
    process.nextTick(callback, null, this._connections);
    return this;
  }

  /**
   * Stops listening; 'close' follows when the last connection is gone.
   *
   * @param {Function} [callback] A listener for 'close'
   */
  close(callback) {
    if (callback) this.once('close', callback);
    if (this._closing) return this;
    this._closing = true;
    this.listening = false;
    if (this._bound !== null) {
      bridge.unlisten(this._bound.id);
      this._bound = null;
    } else {
      process.nextTick(() => this.onUnlistened());
    }
    return this;
  }

  /** Called by the bridge when the port is free. */
  onUnlistened() {
    this._hold.release();
    this._unlistened = true;
    this._closeIfDone();
  }

  /** Calls a method in the asynchronous context that Node gives to accepted connections. */
  inScope(method, ...args) {
    this._scope.runInAsyncScope(method, this, ...args);
  }

  /** Called by the bridge with an upgrade request. */
  onUpgrade(lane, slot, generation, head) {
    const transport = new NativeTransport(lane, slot, generation);
    transport.listener = this;
    this._connections++;
    const request = upgradeRequest(head, transport);
    this._deliver(request, transport);
  }

  /** Called by a transport of this listener that ended. */
  forget() {
    this._connections--;
    this._closeIfDone();
  }

  _closeIfDone() {
    if (this._unlistened && this._connections === 0) process.nextTick(() => this.emit('close'));
  }
}

module.exports = NativeListener;
