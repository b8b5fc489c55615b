// The client's half of the opening handshake, over Node's http.request().
//
// Owns: URL rules, the request, the checks on the response, the failure
// sequences. Called by websocket.js. Runs on: js.
// Redirects and permessage-deflate are still to come (COMPAT.md).

'use strict';

const http = require('http');
const https = require('https');
const net = require('net');
const tls = require('tls');
const { randomBytes } = require('crypto');

const WebSocket = require('./websocket');
const { acceptKey } = require('./bridge');
const { CLOSE_TIMEOUT } = require('./constants');

const PROTOCOL_VERSIONS = [8, 13];
const TOKEN = /^[!#$%&'*+\-.0-9A-Z^_`|a-z~]+$/;
const [PORT, TLS_PORT] = [80, 443];

const kAborted = Symbol('kAborted');

/**
 * Starts connecting.
 *
 * @param {WebSocket} websocket
 * @param {(String|URL)} address
 * @param {*} protocols
 * @param {Object} options
 * @throws {SyntaxError|RangeError}
 */
function connect(websocket, address, protocols, options) {
  if (protocols === undefined) {
    protocols = [];
  } else if (!Array.isArray(protocols)) {
    if (typeof protocols === 'object' && protocols !== null) {
      options = protocols;
      protocols = [];
    } else {
      protocols = [protocols];
    }
  }
  if (protocols.length === 0 && options && options.protocols !== undefined) {
    protocols = [].concat(options.protocols);
  }

  const opts = {
    allowSynchronousEvents: true,
    autoPong: true,
    closeTimeout: CLOSE_TIMEOUT,
    maxBufferedChunks: 262144,
    maxFragments: 16384,
    maxPayload: 104857600,
    maxPendingAutoPongs: 60,
    protocolVersion: 13,
    skipUTF8Validation: false,
    ...options
  };
  websocket._options = opts;
  websocket._autoPong = opts.autoPong;
  websocket._closeTimeout = opts.closeTimeout;
  if (!PROTOCOL_VERSIONS.includes(opts.protocolVersion)) {
    throw new RangeError(
      `Unsupported protocol version: ${opts.protocolVersion} ` +
        `(supported versions: ${PROTOCOL_VERSIONS.join(', ')})`
    );
  }

  const url = parseAddress(address);
  websocket._url = url.href;
  const offered = checkProtocols(protocols);
  const key = randomBytes(16).toString('base64');
  const { request: makeRequest } = url.protocol === 'wss:' ? https : http;
  const request = makeRequest(requestOptions(url, opts, offered, key));
  websocket._req = request;
  follow(websocket, request, { key, offered }, opts);
  if (opts.finishRequest) opts.finishRequest(request, websocket);
  else request.end();
}

function parseAddress(address) {
  let url;
  try {
    url = address instanceof URL ? new URL(address.href) : new URL(address);
  } catch {
    throw new SyntaxError(`Invalid URL: ${address}`);
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  else if (url.protocol === 'https:') url.protocol = 'wss:';

  if (!['ws:', 'wss:', 'ws+unix:'].includes(url.protocol)) {
    throw new SyntaxError(
      'The URL\'s protocol must be one of "ws:", "wss:", "http:", "https:", or "ws+unix:"'
    );
  }
  if (url.protocol === 'ws+unix:' && !url.pathname) {
    throw new SyntaxError("The URL's pathname is empty");
  }
  if (url.hash) throw new SyntaxError('The URL contains a fragment identifier');
  return url;
}

function checkProtocols(protocols) {
  const offered = new Set();
  for (const protocol of protocols) {
    if (typeof protocol !== 'string' || !TOKEN.test(protocol) || offered.has(protocol)) {
      throw new SyntaxError('An invalid or duplicated subprotocol was specified');
    }
    offered.add(protocol);
  }
  return offered;
}

// The headers that the handshake owns replace the user's of the same name; Host and
// Authorization of the user win.
function requestOptions(url, opts, offered, key) {
  const owned = {
    'Sec-WebSocket-Version': opts.protocolVersion,
    'Sec-WebSocket-Key': key,
    Connection: 'Upgrade',
    Upgrade: 'websocket'
  };
  if (offered.size > 0) owned['Sec-WebSocket-Protocol'] = [...offered].join(',');
  if (opts.origin) {
    owned[opts.protocolVersion < 13 ? 'Sec-WebSocket-Origin' : 'Origin'] = opts.origin;
  }

  const secure = url.protocol === 'wss:';
  const port = secure ? TLS_PORT : PORT;
  const request = {
    ...opts,
    defaultPort: opts.defaultPort || port,
    headers: { ...opts.headers, ...owned },
    host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    hostname: undefined,
    method: 'GET',
    path: url.pathname + url.search,
    port: url.port || port,
    protocol: undefined,
    socketPath: undefined,
    timeout: opts.handshakeTimeout
  };
  if (request.agent === undefined) {
    request.agent = false;
    if (!opts.createConnection) request.createConnection = secure ? connectTls : connectPlain;
  }
  if (url.username || url.password) {
    request.auth = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  }
  if (url.protocol === 'ws+unix:') {
    const full = url.pathname + url.search;
    const colon = full.indexOf(':');
    request.socketPath = colon === -1 ? full : full.slice(0, colon);
    request.path = colon === -1 ? '/' : full.slice(colon + 1);
  }
  return request;
}

// http fills in `path` with the request's; net would take it for a socket's.
function connectPlain(options) {
  return net.connect({ ...options, path: options.socketPath });
}

function connectTls(options) {
  const { host, servername } = options;
  const name = servername || servername === '' ? servername : net.isIP(host) ? '' : host;
  return tls.connect({ ...options, path: undefined, servername: name });
}

function follow(websocket, request, handshake, opts) {
  if (opts.handshakeTimeout) {
    request.on('timeout', () => {
      fail(websocket, request, 'Opening handshake has timed out');
    });
  }
  request.on('error', (error) => {
    if (request[kAborted]) return;
    websocket._req = null;
    emitErrorAndClose(websocket, error);
  });
  request.on('response', (response) => {
    if (!websocket.emit('unexpected-response', request, response)) {
      fail(websocket, request, `Unexpected server response: ${response.statusCode}`);
    }
  });
  request.on('upgrade', (response, socket, head) => {
    websocket.emit('upgrade', response);
    // A listener may have closed the WebSocket.
    if (websocket.readyState !== WebSocket.CONNECTING) return;
    websocket._req = null;
    const problem = findProblem(websocket, response, handshake);
    if (problem !== null) {
      failWithSocket(websocket, socket, problem);
    } else {
      websocket.setSocket(socket, head, opts);
    }
  });
}

/** What is wrong with a 101 response, or null. Notes the subprotocol. */
function findProblem(websocket, response, { key, offered }) {
  const { headers } = response;
  const { upgrade } = headers;
  if (upgrade === undefined || upgrade.toLowerCase() !== 'websocket') {
    return 'Invalid Upgrade header';
  }
  if (headers['sec-websocket-accept'] !== acceptKey(key)) {
    return 'Invalid Sec-WebSocket-Accept header';
  }

  const protocol = headers['sec-websocket-protocol'];
  if (protocol !== undefined) {
    if (offered.size === 0) return 'Server sent a subprotocol but none was requested';
    if (!offered.has(protocol)) return 'Server sent an invalid subprotocol';
    websocket._protocol = protocol;
  } else if (offered.size > 0) {
    return 'Server sent no subprotocol';
  }
  if (headers['sec-websocket-extensions'] !== undefined) {
    return 'Server sent a Sec-WebSocket-Extensions header but no extension was requested';
  }
  return null;
}

function emitErrorAndClose(websocket, error) {
  websocket._readyState = WebSocket.CLOSING;
  websocket._errorEmitted = true;
  websocket.emit('error', error);
  websocket.emitClose();
}

// 'error' comes from the socket's error and 'close' from its close, as with ws.
function failWithSocket(websocket, socket, message) {
  websocket._readyState = WebSocket.CLOSING;
  socket.once('error', (error) => {
    websocket._errorEmitted = true;
    websocket.emit('error', error);
  });
  socket.once('close', () => websocket.emitClose());
  socket.destroy(new Error(message));
}

function fail(websocket, request, message) {
  websocket._readyState = WebSocket.CLOSING;
  const error = new Error(message);
  Error.captureStackTrace(error, fail);
  request[kAborted] = true;
  request.destroy();
  if (request.socket && !request.socket.destroyed) request.socket.destroy();
  process.nextTick(emitErrorAndClose, websocket, error);
}

/**
 * Gives up a connection that is not established.
 *
 * @param {WebSocket} websocket
 * @param {String} message
 */
function abort(websocket, message) {
  const { _req: request } = websocket;
  if (request !== null) fail(websocket, request, message);
}

module.exports = { abort, connect };
