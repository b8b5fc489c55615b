// Port mode: a listening socket in a reactor, until somebody wants the http.Server.
//
// Owns: looking the host up, binding, the upgrade requests of this listener, the count of
// its connections, handing everything over to an http.Server. Called by port-server.js;
// no user ever holds one. Runs on: js. Tests: __test__/differential/http-server.test.js.

'use strict';

const { AsyncResource } = require('async_hooks');
const dns = require('dns');

const bridge = require('./bridge');
const { emptyBuffer } = require('./constants');
const { listenError } = require('./errors');
const { NativeTransport } = require('./native-transport');
const upgradeRequest = require('./upgrade-request');
const { moveGuests, moveListener } = require('./vacated-listener');

const DEFAULT_BACKLOG = 511;
// Since Node 24 a new connection is announced in the context of listen(), before in none.
const CONTEXT_OF_LISTEN = parseInt(process.versions.node) >= 24;

class NativeListener {
  /**
   * @param {{backlog: Number, host: String, port: Number}} options
   * @param {{becomeServer: Function, onError: Function, onListening: Function, onUpgrade: Function,
   *     refuse: Function}} owner `becomeServer` gives the http.Server, `onUpgrade` is called with (request, transport), `refuse` with the transport of a request
   *     that nobody answers
   */
  constructor(options, owner) {
    this._options = options;
    this._owner = owner;
    this._scope = CONTEXT_OF_LISTEN ? new AsyncResource('WebSocketServer') : bridge.rootScope;
    this._connections = 0;
    this._bound = null;
    // Whether the owner was told what came of listening.
    this._told = false;
    this._hold = new bridge.Hold();
    /** The http.Server that listens in its place, or null. */
    this.server = null;
  }

  /** Binds and listens; the owner is told what came of it. */
  listen() {
    const { host } = this._options;
    if (!host) {
      this._listen(['::', '0.0.0.0']);
    } else {
      this._hold.acquire();
      // Of an address it makes the same, a tick later: then Node listens, too.
      dns.lookup(host, (error, address) => {
        if (this.server !== null) return;
        if (error) this._fail(error);
        else this._listen([address]);
      });
    }
  }

  _listen(addresses) {
    const { port } = this._options;
    this._hold.acquire();
    let outcome;
    for (const address of addresses) {
      outcome = bridge.listen(this, { port, backlog: this._backlog, ipv6Only: false, address });
      if (outcome.errno === 0) break;
      // Only a system without IPv6 makes Node try the next one.
      const error = listenError(outcome.errno, address, port);
      const isLast = address === addresses[addresses.length - 1];
      if (isLast || !['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(error.code)) {
        process.nextTick(() => this._fail(error));
        return;
      }
    }
    this._bound = outcome;
    process.nextTick(() => {
      // Who took the socket over tells it.
      if (this.server !== null) return;
      this._told = true;
      this._owner.onListening();
    });
  }

  get _backlog() {
    const { backlog } = this._options;
    return backlog > 0 ? backlog : DEFAULT_BACKLOG;
  }

  _fail(error) {
    if (this.server !== null) return;
    this._told = true;
    this._hold.release();
    this._owner.onError(error);
  }

  /** @return {http.Server} What listens from now on in its place */
  becomeServer() {
    return this.server === null ? this._owner.becomeServer() : this.server;
  }

  /** @return {?{address: String, family: String, port: Number}} */
  address() {
    if (this._bound === null) return null;
    const { address, family, port } = this._bound;
    return { address, family, port };
  }

  /**
   * Lets an http.Server that does not listen yet go on: with the socket, with connections that asked
   * for nothing yet, with the count of the others.
   *
   * @param {http.Server} server
   * @param {Function} [callback] A listener for 'listening' if that is still to come
   */
  moveTo(server, callback) {
    this.server = server;
    server._connections += this._connections;
    if (callback && !this._told) server.once('listening', callback);
    this._scope.runInAsyncScope(() => this._move(server));
  }

  _move(server) {
    const { _bound: bound, _options: options } = this;
    if (bound === null) {
      // The lookup goes on there, and so does an error that nobody was told yet.
      if (!this._told) server.listen(options.port, options.host, options.backlog);
      this._hold.release();
      return;
    }
    const { fd, guests } = bridge.vacate(bound.id, () => this._hold.release());
    moveListener(server, fd, this._backlog, this._told);
    // Before 'listening' a server takes no connections.
    if (this._told) moveGuests(server, guests);
    else process.nextTick(moveGuests, server, guests);
  }

  /** Drops connections that could not be moved. */
  close() {
    if (this._bound !== null) bridge.unlisten(this._bound.id);
  }

  /** Calls a method in the asynchronous context that Node gives to accepted connections. */
  inScope(method, ...args) {
    this._scope.runInAsyncScope(method, this, ...args);
  }

  /** Called by the bridge with an upgrade request. */
  onUpgrade(lane, slot, generation, head) {
    const { server } = this;
    const transport = new NativeTransport(lane, slot, generation);
    transport.listener = this;
    if (server === null) this._connections++;
    else server._connections++;
    const request = upgradeRequest(head, transport);
    if (server === null) {
      this._owner.onUpgrade(request, transport);
    } else if (server.listenerCount('upgrade') > 0) {
      server.emit('upgrade', request, request.socket, emptyBuffer());
    } else {
      this._owner.refuse(transport);
    }
  }

  /** Called by a transport of this listener that ended. */
  forget() {
    const { server } = this;
    if (server === null) {
      this._connections--;
    } else {
      // As net.Socket does when it is destroyed.
      server._connections--;
      server._emitCloseIfDrained();
    }
  }
}

module.exports = NativeListener;
