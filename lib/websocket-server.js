// The WebSocketServer class: the opening handshake from the server's side.
//
// Owns: the one upgrade policy for all transports (checks in ws's order,
// verifyClient, handleProtocols, headers) and the close state machine. A target
// stands for the connection that asks: see upgrade-target.js. Runs on: js.
// Tests: __test__/api, __test__/differential.

'use strict';

const EventEmitter = require('events');
const http = require('http');

const NativeListener = require('./native-listener');
const Limits = require('./limits');
const PerMessageDeflate = require('./permessage-deflate');
const WebSocket = require('./websocket');
const extension = require('./extension');
const subprotocol = require('./subprotocol');
const { readBackbone } = require('./backbone/options');
const { acceptKey } = require('./bridge');
const { suitsWorkers } = require('./compression');
const {
  CLOSE_TIMEOUT,
  NOOP,
  PERMESSAGE_DEFLATE,
  emptyBuffer,
  kLimits,
  kOpen,
  kRelease,
  kSetSocket,
  kServer,
  kTopics
} = require('./constants');
const { Drain, readDrain } = require('./drain');
const metricsOf = require('./metrics');
const { metricsText, registerMetrics } = require('./metrics/prometheus');
const { giveBack } = require('./native-socket');
const { addListeners, callListening, requireUpgrade, suitsListener } = require('./port');
const { isReplaced } = require('./replaced');
const { socketOptions } = require('./settings');
const Topics = require('./topics/registry');
const { forced } = require('./transports');
const { NativeTarget, targetOf } = require('./upgrade-target');

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const [RUNNING, CLOSING, CLOSED] = [0, 1, 2];
const { close, terminate } = WebSocket.prototype;

// The names with an underscore are ws's. What else there is has no name that a user could hit.
const kConnections = Symbol('kConnections');
const kDrain = Symbol('kDrain');
const kForget = Symbol('kForget');
const kListener = Symbol('kListener');

class WebSocketServer extends EventEmitter {
  /**
   * Makes a server that listens by itself (`port`), on another server (`server`), or for upgrades
   * that the user hands over (`noServer`).
   *
   * @param {Object} options See `ServerOptions` in index.d.ts
   * @param {Function} [callback] A listener for 'listening', in port mode only
   * @throws {TypeError|RangeError} Unless exactly one of port, server and noServer is given; on a limit that
   *     is none
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
    // Not enumerable: options stay what the user gave, with ws's defaults.
    Object.defineProperty(options, kLimits, { value: new Limits(options) });

    Topics.checkLimit(options.maxSubscriptions);
    const backbone = options.backbone == null ? null : readBackbone(options.backbone);
    this[kTopics] = Topics.of(options.hub, backbone !== null);

    // Before anything listens: it throws where others have the topics carried differently.
    if (backbone !== null) this[kTopics].carry(this, backbone);
    try {
      if (options.port != null) {
        listen(this, options, callback);
      } else if (options.server) {
        this._server = options.server;
        this._removeListeners = addListeners(this._server, listenersOf(this));
      }
    } catch (error) {
      this[kTopics].stopCarrying(this);
      throw error;
    }

    if (options.perMessageDeflate === true) options.perMessageDeflate = {};
    if (options.clientTracking) {
      this.clients = new Set();
      this._shouldEmitClose = false;
    }
    this.options = options;
    this._state = RUNNING;
    // `clients` is the user's, who may ask for none, or take some out.
    this[kConnections] = new Set();
    this[kDrain] = null;
    this[kForget] = (websocket) => {
      if (this[kConnections].delete(websocket)) countsOf(this).closed++;
      if (this[kDrain] !== null) this[kDrain].onClosed(websocket);
      letGo(this);
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
    const { [kListener]: listener } = this;
    if (listener && listener.server === null) return listener.address();
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
    letGo(this);

    const server = this._server;
    if (server) {
      this._removeListeners();
      this._removeListeners = this._server = null;
    }
    if (this.options.port != null) {
      server.close(() => emitClose(this));
      if (this[kListener]) this[kListener].close();
    } else if (this.clients && this.clients.size > 0) {
      this._shouldEmitClose = true;
    } else {
      process.nextTick(emitClose, this);
    }
  }

  /**
   * Empties the server: from now on upgrades are refused with 503, and the connections are closed,
   * spread over a while, and at last terminated. What listens goes on listening until `close()`.
   *
   * @param {{code: Number, jitter: Number, reason: String, retryAfter: Number, timeout: Number}}
   *     [options] Those of the first call count
   * @return {Promise<{closed: Number, terminated: Number}>} Resolved when no connection is left;
   *     rejected with a TypeError or RangeError on an option that is none
   */
  async drain(options) {
    const read = readDrain(options);
    if (this[kDrain] === null) {
      this[kDrain] = new Drain(this[kConnections], read, {
        close: (websocket) => close.call(websocket, read.code, read.reason),
        terminate: (websocket) => terminate.call(websocket)
      });
      this[kDrain].begin();
    }
    return this[kDrain].done;
  }

  /**
   * Waits for the backbone: until the engine knows of all that was subscribed so far, and has all
   * that was published.
   *
   * @return {Promise<void>} Resolved at once without a backbone; rejected if it is closed meanwhile
   */
  async flushBackbone() {
    const { backbone } = this[kTopics];
    if (backbone !== null) await backbone.flush();
  }

  /**
   * Up to where the history of a topic was delivered in this process: for a client to keep, and to
   * give back as `since`.
   *
   * @param {String} topic
   * @return {(String|undefined)} `undefined` without a history, or if nobody is subscribed here, or
   *     the engine has not said so far
   * @throws {TypeError|RangeError} If no topic can have that name
   */
  position(topic) {
    return this[kTopics].positionOf(topic);
  }

  /**
   * What the server has done so far, and what it is at.
   *
   * @return {Object} See `Metrics` in index.d.ts
   */
  metrics() {
    return metricsOf(this, this[kConnections]);
  }

  /**
   * The metrics of servers for Prometheus.
   *
   * @param {(WebSocketServer|Object<String, WebSocketServer>)} servers One, or several by the names that
   *     their label `server` gives
   * @return {String} In the text exposition format 0.0.4
   * @throws {TypeError} On something else
   */
  static metricsText(servers) {
    return metricsText(servers);
  }

  /**
   * Has a registry of prom-client show them.
   *
   * @param {{registerMetric: Function}} registry
   * @param {(WebSocketServer|Object<String, WebSocketServer>)} servers As above
   * @throws {TypeError} On something else
   */
  static registerMetrics(registry, servers) {
    registerMetrics(registry, servers);
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

  /**
   * Gives a message to everybody who is subscribed to a topic.
   *
   * @param {String} topic
   * @param {*} data As for `send()`, but no Blob
   * @param {{binary: Boolean, compress: Boolean, except: (WebSocket|Iterable<WebSocket>),
   *     local: Boolean}} [options]
   * @return {Number} How many of this process get it
   * @throws {TypeError|RangeError} If no topic can have that name
   * @throws {TypeError} On data that cannot be sent
   */
  publish(topic, data, options) {
    return this[kTopics].publish(this, topic, data, options);
  }

  /**
   * @param {String} topic
   * @return {Number} How many WebSockets are subscribed to it
   * @throws {TypeError|RangeError} If no topic can have that name
   */
  subscriberCount(topic) {
    return this[kTopics].countOf(topic);
  }

  /**
   * The topics that somebody is subscribed to.
   *
   * @type {String[]}
   */
  get topics() {
    return this[kTopics].names;
  }

  set topics(value) {
    Object.defineProperty(this, 'topics', {
      configurable: true,
      enumerable: true,
      value,
      writable: true
    });
  }
}

const OWN_METHODS = {
  completeUpgrade: WebSocketServer.prototype.completeUpgrade,
  handleUpgrade: WebSocketServer.prototype.handleUpgrade
};

/** What a WebSocketServer hears of its HTTP server. COMPAT(ws 8.23): `emit` is looked up once. */
function listenersOf(wss) {
  const connect = wss.emit.bind(wss, 'connection');
  return {
    listening: wss.emit.bind(wss, 'listening'),
    error: wss.emit.bind(wss, 'error'),
    upgrade: (request, socket, head) => wss.handleUpgrade(request, socket, head, connect)
  };
}

/**
 * Port mode: a native listener listens, or an http.Server where that would be noticed.
 */
function listen(wss, options, callback) {
  const listeners = listenersOf(wss);
  if (forced || !suitsWorkers(options.perMessageDeflate || {}) || !suitsListener(options)) {
    wss._server = http.createServer(requireUpgrade);
    wss._server.listen(options.port, options.host, options.backlog, callback);
    wss._removeListeners = addListeners(wss._server, listeners);
    return;
  }
  const connect = wss.emit.bind(wss, 'connection');
  const { backlog, host, port } = options;
  const listener = new NativeListener(
    { backlog, host, port: Number(port) },
    {
      // Of a server that was closed nothing listens any more.
      becomeServer: () => wss._server || http.createServer(requireUpgrade),
      onError: listeners.error,
      onListening() {
        if (typeof callback === 'function') callListening(wss, callback);
        listeners.listening();
      },
      onUpgrade(request, transport) {
        // Whoever puts a method of his own there, on the prototype too, is to be called.
        const { completeUpgrade, handleUpgrade } = OWN_METHODS;
        const isSeen = isReplaced();
        if (isSeen) giveBack(request.socket);
        if (
          isSeen ||
          wss.handleUpgrade !== handleUpgrade ||
          wss.completeUpgrade !== completeUpgrade
        ) {
          listeners.upgrade(request, request.socket, emptyBuffer());
          return;
        }
        const emit = (websocket) => connect(websocket, request);
        const target = new NativeTarget(transport);
        negotiate(wss, request, target, (extensions, protocols, key) => {
          complete(wss, extensions, key, protocols, request, target, emit);
        });
      },
      // As `requireUpgrade()` does it.
      refuse(transport) {
        new NativeTarget(transport).refuse(426, undefined, { 'Content-Type': 'text/plain' });
      }
    }
  );
  wss[kListener] = listener;
  const settle = (value) => {
    const property = { configurable: true, enumerable: true, value, writable: true };
    Object.defineProperty(wss, '_server', property);
    return value;
  };
  Object.defineProperty(wss, '_server', {
    configurable: true,
    enumerable: true,
    // Whoever asks for the server gets it.
    get() {
      const server = http.createServer(requireUpgrade);
      settle(server);
      listener.moveTo(server, callback);
      wss._removeListeners = addListeners(server, listeners);
      return server;
    },
    set: settle
  });
  wss._removeListeners = NOOP;
  listener.listen();
}

/** Nothing is carried for a server that has closed and whose connections have, too. */
function letGo(wss) {
  if (wss._state === RUNNING || wss[kConnections].size > 0) return;
  wss[kTopics].stopCarrying(wss);
  countsOf(wss).giveUpAccount();
}

function countsOf(wss) {
  return wss.options[kLimits].counts;
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
  if (!wss.shouldHandle(request)) return refuseFor(wss, 'path', target, 400);
  if (refuseForNow(wss, target)) return;

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
      else refuseFor(wss, 'verification', target, code || 401, message, extra);
    });
  } else if (wss.options.verifyClient(info)) {
    accept(extensions, protocols, key);
  } else {
    refuseFor(wss, 'verification', target, 401);
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

/** Refuses an upgrade that there is no room for, or not any more. Asked again after verifyClient. */
function refuseForNow(wss, target) {
  const { [kConnections]: connections, [kDrain]: drain } = wss;
  if (drain !== null) {
    refuseFor(wss, 'draining', target, 503, undefined, { 'Retry-After': drain.retryAfter });
    return true;
  }
  if (connections.size < wss.options[kLimits].maxConnections) return false;
  refuseFor(wss, 'limit', target, 503);
  return true;
}

/** Refuses an upgrade; the reason is for the metrics. */
function refuseFor(wss, reason, target, code, message, extra) {
  countsOf(wss).refused[reason]++;
  target.refuse(code, message, extra);
}

function refuseClient(wss, request, target, code, message, extra) {
  if (wss.listenerCount('wsClientError') === 0) {
    refuseFor(wss, 'handshake', target, code, message, extra);
    return;
  }
  countsOf(wss).refused.handshake++;
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
    refuseFor(wss, 'closed', target, 503);
    return;
  }
  if (refuseForNow(wss, target)) return;

  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${acceptKey(key)}`
  ];
  const websocket = new wss.options.WebSocket(null, undefined, wss.options);
  websocket[kServer] = wss;
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
  if (websocket.setSocket === WebSocket[kSetSocket]) {
    websocket[kOpen](target.accept(response, wss.options, extensions), wss.options);
  } else {
    target.answer(response);
    websocket.setSocket(target.socket, target.head, socketOptions(wss.options));
  }
  wss[kConnections].add(websocket);
  countsOf(wss).accepted++;
  websocket[kRelease] = wss[kForget];
  if (wss.clients) wss.clients.add(websocket);
  callback(websocket, request);
}

module.exports = WebSocketServer;
