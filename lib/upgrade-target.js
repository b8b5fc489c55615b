// The connection behind an upgrade request, while the handshake is under way.
//
// Owns: refusing and accepting, on a socket of Node's and on a connection that
// only a worker knows. Used by websocket-server.js. Runs on: js.

'use strict';

const { STATUS_CODES } = require('http');

const { nativeOf, release } = require('./native-socket');
const { suitsWorkers } = require('./compression');
const { EMPTY_BUFFER, kWebSocket } = require('./constants');
const { settingsFor } = require('./settings');
const { openTransport } = require('./transports');

const kAnswer = Symbol('kAnswer');

/** The response that refuses an upgrade; its body is the message. */
function refusal(code, message = STATUS_CODES[code], extra = {}) {
  const headers = {
    Connection: 'close',
    'Content-Type': 'text/html',
    'Content-Length': Buffer.byteLength(message),
    ...extra
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${code} ${STATUS_CODES[code]}\r\n${lines.join('\r\n')}\r\n\r\n${message}`;
}

/** A socket that Node read the request from. */
class SocketTarget {
  /**
   * @param {Duplex} socket
   * @param {Buffer} head
   */
  constructor(socket, head) {
    this.socket = socket;
    this.head = head;
  }

  get usable() {
    return Boolean(this.socket.readable && this.socket.writable);
  }

  get taken() {
    return this.socket[kWebSocket] !== undefined;
  }

  destroy() {
    this.socket.destroy();
  }

  refuse(code, message, extra) {
    this.socket.once('finish', this.socket.destroy);
    this.socket.end(refusal(code, message || undefined, extra));
  }

  /** Whether messages can be compressed as options say: somebody can, a worker or Node's zlib. */
  compresses() {
    return true;
  }

  /** Answers with a handshake whose connection is made by `accept()` without one. */
  answer(response) {
    this.socket.write(response);
  }

  accept(response, options, extensions, isServer = true) {
    return openTransport(this.socket, this.head, response, options, isServer, extensions);
  }
}

/** A connection of a native listener. */
class NativeTarget {
  /** @param {NativeTransport} transport */
  constructor(transport) {
    this.transport = transport;
  }

  get socket() {
    return this.transport.socket;
  }

  /** The same for the socket object, if somebody has asked for it. */
  get _seen() {
    const { knownSocket: socket } = this.transport;
    return socket === null ? null : new SocketTarget(socket, EMPTY_BUFFER);
  }

  get head() {
    return EMPTY_BUFFER;
  }

  get usable() {
    const { _seen: seen } = this;
    return seen === null ? !this.transport.gone : seen.usable;
  }

  get taken() {
    const { _seen: seen } = this;
    return this.transport.websocket !== null || (seen !== null && seen.taken);
  }

  destroy() {
    this.transport.destroy();
  }

  refuse(code, message, extra) {
    const { _seen: seen } = this;
    if (seen !== null) {
      seen.refuse(code, message, extra);
      return;
    }
    this.transport.raw(refusal(code, message || undefined, extra));
    this.transport.end(true);
  }

  /** As above; these connections cannot leave their worker. */
  compresses(options) {
    return suitsWorkers(options);
  }

  /** As above. */
  answer(response) {
    this.transport[kAnswer] = response;
  }

  accept(response, options, extensions, isServer = true) {
    const { _seen: seen, transport } = this;
    if (seen !== null && nativeOf(seen.socket) === null) {
      // Somebody has used the socket, which Node has now.
      release(seen.socket);
      return seen.accept(response || transport[kAnswer], options, extensions, isServer);
    }
    transport.accept(settingsFor(options, isServer, extensions), response || transport[kAnswer]);
    return transport;
  }
}

/**
 * The target for a socket that a user hands over.
 *
 * @param {Duplex} socket
 * @param {Buffer} head
 * @return {(NativeTarget|SocketTarget)}
 */
function targetOf(socket, head) {
  const transport = nativeOf(socket);
  return transport === null ? new SocketTarget(socket, head) : new NativeTarget(transport);
}

module.exports = { NativeTarget, targetOf };
