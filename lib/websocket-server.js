// The WebSocketServer class: the opening handshake from the server's side.
//
// Owns: the one upgrade policy for all transports (checks in ws's order,
// verifyClient, handleProtocols, headers) and the close state machine. A target
// stands for the connection that asks: see upgrade-target.js. Runs on: js.
// Tests: __test__/api, __test__/differential.

'use strict';

const EventEmitter = require('events');
const cluster = require('cluster');
const http = require('http');

const NativeListener = require('./native-listener');
const PerMessageDeflate = require('./permessage-deflate');
const WebSocket = require('./websocket');
const extension = require('./extension');
const subprotocol = require('./subprotocol');
const { acceptKey } = require('./bridge');
const { suitsWorkers } = require('./compression');
const { CLOSE_TIMEOUT, PERMESSAGE_DEFLATE } = require('./constants');
const { forced } = require('./transports');
const { NativeTarget, targetOf } = require('./upgrade-target');

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const [RUNNING, CLOSING, CLOSED] = [0, 1, 2];

class WebSocketServer extends EventEmitter {
  /**
   * Makes a server that listens by itself (`port`), on another server (`server`), or for upgrades
   * that the user hands over (`noServer`).
   *
   * @param {Object} options See `ServerOptions` in index.d.ts
   * @param {Function} [callback] A listener for 'listening', in port mode only
   * @throws {TypeError} Unless exactly one of port, server and noServer is given
   */
  constructor(options, callback) {
    super();

    options = {
      allowSynchronousEvents: true,
      autoPong: true,
      backlog: null,
      clientTracking: true,
      closeTimeout: CLOSE_TIMEOUT,
      handleProtocols: null,
      host: null,
      maxBufferedChunks: 262144,
      maxFragments: 16384,
      maxPayload: 104857600,
      maxPendingAutoPongs: 60,
      noServer: false,
      path: null,
      perMessageDeflate: false,
      port: null,
      server: null,
      skipUTF8Validation: false,
      verifyClient: null,
      WebSocket,
      ...options
    };
    const modes = [options.port != null, options.server, options.noServer].filter(Boolean);
    if (modes.length !== 1) {
      throw new TypeError(
        'One and only one of the "port", "server", or "noServer" options must be specified'
      );
    }

    if (options.port != null) {
      this._server = listen(this, options, callback);
      this._ownsServer = true;
    } else if (options.server) {
      this._server = options.server;
    }
    if (this._server) {
      this._removeListeners = addListeners(this._server, {
        listening: this.emit.bind(this, 'listening'),
        error: this.emit.bind(this, 'error'),
        upgrade: (request, socket, head) => {
          this.handleUpgrade(request, socket, head, this.emit.bind(this, 'connection'));
        }
      });
    }

    if (options.perMessageDeflate === true) options.perMessageDeflate = {};
    if (options.clientTracking) {
      this.clients = new Set();
      this._shouldEmitClose = false;
    }
    this.options = options;
    this._state = RUNNING;
    this._forget = (websocket) => {
      if (!this.clients) return;
      this.clients.delete(websocket);
      if (this._shouldEmitClose && this.clients.size === 0) process.nextTick(emitClose, this);
    };
  }

  /**
   * The address that the server listens on.
   *
   * @return {?(Object|String)} Null once it is closed
   * @throws {Error} In noServer mode
   */
  address() {
    if (this.options.noServer) {
      throw new Error('The server is operating in "noServer" mode');
    }
    return this._server ? this._server.address() : null;
  }

  /**
   * Stops accepting connections. Those that are open stay open.
   *
   * @param {Function} [callback] Called on 'close', or with an error if it is closed already
   */
  close(callback) {
    if (this._state === CLOSED) {
      if (callback) {
        this.once('close', () => callback(new Error('The server is not running')));
      }
      process.nextTick(emitClose, this);
      return;
    }

    if (callback) this.once('close', callback);
    if (this._state === CLOSING) return;
    this._state = CLOSING;

    const server = this._server;
    if (server) {
      this._removeListeners();
      this._removeListeners = this._server = null;
    }
    if (this._ownsServer) {
      server.close(() => emitClose(this));
    } else if (this.clients && this.clients.size > 0) {
      this._shouldEmitClose = true;
    } else {
      process.nextTick(emitClose, this);
    }
  }

  /**
   * Whether this server answers a request, by its path.
   *
   * @param {http.IncomingMessage} request
   * @return {Boolean}
   */
  shouldHandle(request) {
    if (!this.options.path) return true;
    const end = request.url.indexOf('?');
    return (end === -1 ? request.url : request.url.slice(0, end)) === this.options.path;
  }

  /**
   * Answers an upgrade request.
   *
   * @param {http.IncomingMessage} request
   * @param {Duplex} socket
   * @param {Buffer} head What came after the request
   * @param {Function} callback Called with (websocket, request) if it was accepted
   */
  handleUpgrade(request, socket, head, callback) {
    const guard = () => socket.destroy();
    socket.on('error', guard);
    negotiate(this, request, targetOf(socket, head), (extensions, protocols, key) => {
      this.completeUpgrade(extensions, key, protocols, request, socket, head, (...results) => {
        socket.removeListener('error', guard);
        callback(...results);
      });
    });
  }

  /**
   * Accepts an upgrade request that passed all checks.
   *
   * @param {Object} extensions Accepted extensions
   * @param {String} key The value of Sec-WebSocket-Key
   * @param {Set<String>} protocols The subprotocols on offer
   * @param {http.IncomingMessage} request
   * @param {Duplex} socket
   * @param {Buffer} head
   * @param {Function} callback
   * @throws {Error} If the socket has a WebSocket already
   */
  completeUpgrade(extensions, key, protocols, request, socket, head, callback) {
    complete(this, extensions, key, protocols, request, targetOf(socket, head), callback);
  }
}

const OWN_METHODS = {
  completeUpgrade: WebSocketServer.prototype.completeUpgrade,
  handleUpgrade: WebSocketServer.prototype.handleUpgrade
};

/**
 * Native port mode, unless the process is a cluster worker, the port is no plain number, or only
 * Node's zlib can compress as the options ask.
 */
function listen(wss, options, callback) {
  const { backlog, host, port } = options;
  const plain = (typeof port === 'number' || typeof port === 'string') && /^\d+$/.test(port);

  const suits = suitsWorkers(options.perMessageDeflate || {});
  if (forced || cluster.isWorker || !plain || Number(port) > 65535 || !suits) {
    const server = http.createServer(requireUpgrade);
    server.listen(port, host, backlog, callback);
    return server;
  }
  const listener = new NativeListener((request, transport) => {
    const emit = (websocket) => wss.emit('connection', websocket, request);
    // Whoever puts a method of his own there, on the prototype too, is to be called.
    const { completeUpgrade, handleUpgrade } = OWN_METHODS;
    if (wss.handleUpgrade !== handleUpgrade || wss.completeUpgrade !== completeUpgrade) {
      wss.handleUpgrade(request, request.socket, Buffer.alloc(0), emit);
      return;
    }
    const target = new NativeTarget(transport);
    negotiate(wss, request, target, (extensions, protocols, key) => {
      complete(wss, extensions, key, protocols, request, target, emit);
    });
  });
  return listener.listen({ backlog, host, port }, callback);
}

function requireUpgrade(request, response) {
  const body = http.STATUS_CODES[426];
  response.writeHead(426, { 'Content-Length': body.length, 'Content-Type': 'text/plain' });
  response.end(body);
}

function addListeners(emitter, listeners) {
  for (const [event, listener] of Object.entries(listeners)) emitter.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) {
      emitter.removeListener(event, listener);
    }
  };
}

function emitClose(wss) {
  wss._state = CLOSED;
  wss.emit('close');
}

/** The checks of an upgrade request, in ws's order. Calls `accept(extensions, protocols, key)`. */
function negotiate(wss, request, target, accept) {
  const { headers, method } = request;
  const { upgrade } = headers;
  const key = headers['sec-websocket-key'];
  const version = Number(headers['sec-websocket-version']);
  const refuse = (code, message, extra) => {
    refuseClient(wss, request, target, code, message, extra);
  };

  if (method !== 'GET') return refuse(405, 'Invalid HTTP method');
  if (upgrade === undefined || upgrade.toLowerCase() !== 'websocket') {
    return refuse(400, 'Invalid Upgrade header');
  }
  if (key === undefined || !KEY.test(key)) {
    return refuse(400, 'Missing or invalid Sec-WebSocket-Key header');
  }
  if (version !== 13 && version !== 8) {
    const supported = { 'Sec-WebSocket-Version': '13, 8' };
    return refuse(400, 'Missing or invalid Sec-WebSocket-Version header', supported);
  }
  if (!wss.shouldHandle(request)) return target.refuse(400);

  let protocols = new Set();
  const offered = headers['sec-websocket-protocol'];
  if (offered !== undefined) {
    try {
      protocols = subprotocol.parse(offered);
    } catch {
      return refuse(400, 'Invalid Sec-WebSocket-Protocol header');
    }
  }

  let extensions;
  try {
    extensions = acceptExtensions(wss.options, headers['sec-websocket-extensions'], target);
  } catch {
    return refuse(400, 'Invalid or unacceptable Sec-WebSocket-Extensions header');
  }

  const { verifyClient } = wss.options;
  if (!verifyClient) return accept(extensions, protocols, key);
  const info = {
    origin: headers[version === 8 ? 'sec-websocket-origin' : 'origin'],
    secure: Boolean(request.socket.authorized || request.socket.encrypted),
    req: request
  };
  if (verifyClient.length === 2) {
    wss.options.verifyClient(info, (verified, code, message, extra) => {
      if (verified) accept(extensions, protocols, key);
      else target.refuse(code || 401, message, extra);
    });
  } else if (wss.options.verifyClient(info)) {
    accept(extensions, protocols, key);
  } else {
    target.refuse(401);
  }
}

/** What of an offer this server takes, by name. */
function acceptExtensions({ maxPayload, perMessageDeflate }, header, target) {
  const extensions = {};
  if (!perMessageDeflate || header === undefined || !target.compresses(perMessageDeflate)) {
    return extensions;
  }
  const { [PERMESSAGE_DEFLATE]: offers } = extension.parse(header);
  if (offers !== undefined) {
    const deflate = new PerMessageDeflate({ ...perMessageDeflate, isServer: true, maxPayload });
    deflate.accept(offers);
    extensions[PERMESSAGE_DEFLATE] = deflate;
  }
  return extensions;
}

function refuseClient(wss, request, target, code, message, extra) {
  if (wss.listenerCount('wsClientError') === 0) {
    target.refuse(code, message, extra);
    return;
  }
  const error = new Error(message);
  Error.captureStackTrace(error, refuseClient);
  wss.emit('wsClientError', error, target.socket, request);
}

function complete(wss, extensions, key, protocols, request, target, callback) {
  if (!target.usable) {
    target.destroy();
    return;
  }
  if (target.taken) {
    throw new Error(
      'server.handleUpgrade() was called more than once with the same ' +
        'socket, possibly due to a misconfiguration'
    );
  }
  if (wss._state > RUNNING) {
    target.refuse(503);
    return;
  }

  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKey(key)}`
  ];
  const websocket = new wss.options.WebSocket(null, undefined, wss.options);
  if (protocols.size > 0) {
    const protocol = wss.options.handleProtocols
      ? wss.options.handleProtocols(protocols, request)
      : protocols.values().next().value;
    if (protocol) {
      lines.push(`Sec-WebSocket-Protocol: ${protocol}`);
      websocket._protocol = protocol;
    }
  }
  const { [PERMESSAGE_DEFLATE]: deflate } = extensions;
  if (deflate) {
    const value = extension.format({ [PERMESSAGE_DEFLATE]: [deflate.params] });
    lines.push(`Sec-WebSocket-Extensions: ${value}`);
    websocket._extensions = extensions;
  }
  wss.emit('headers', lines, request);

  const response = lines.concat('\r\n').join('\r\n');
  const transport = target.accept(response, wss.options, extensions);
  websocket._open(transport, wss.options);
  if (wss.clients) {
    wss.clients.add(websocket);
    websocket._release = wss._forget;
  }
  callback(websocket, request);
}

module.exports = WebSocketServer;
