// The client's half of the opening handshake, over Node's http.request().
//
// Owns: URL rules, the request, the checks on the response, the failure
// sequences. Called by websocket.js. Runs on: js.
// Tests: __test__/differential/client.test.js, __test__/interop.

'use strict';

const { Buffer } = require('buffer');
const http = require('http');
const https = require('https');
const net = require('net');
const querystring = require('querystring');
const tls = require('tls');
const { randomBytes } = require('crypto');

const PerMessageDeflate = require('./permessage-deflate');
const extension = require('./extension');
const { socketOptions } = require('./settings');
const { acceptKey } = require('./bridge');
const { CLOSE_TIMEOUT, PERMESSAGE_DEFLATE, kOptions } = require('./constants');

const [CONNECTING, CLOSING] = [0, 2];
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
  if (typeof protocols === 'object' && protocols !== null && !Array.isArray(protocols)) {
    options = protocols;
    protocols = undefined;
  }
  // A positional value wins, also an empty list.
  if (protocols === undefined && options) protocols = options.protocols;
  protocols = protocols === undefined ? [] : [].concat(protocols);

  const opts = {
    allowSynchronousEvents: true,
    autoPong: true,
    closeTimeout: CLOSE_TIMEOUT,
    followRedirects: false,
    maxBufferedChunks: 262144,
    maxFragments: 16384,
    maxPayload: 104857600,
    maxPendingAutoPongs: 60,
    maxRedirects: 10,
    perMessageDeflate: true,
    protocolVersion: 13,
    skipUTF8Validation: false,
    ...options
  };
  websocket[kOptions] = opts;
  websocket._autoPong = opts.autoPong;
  websocket._closeTimeout = opts.closeTimeout;
  if (!PROTOCOL_VERSIONS.includes(opts.protocolVersion)) {
    throw new RangeError(
      `Unsupported protocol version: ${opts.protocolVersion} ` +
        `(supported versions: ${PROTOCOL_VERSIONS.join(', ')})`
    );
  }

  const url = parseAddress(websocket, address);
  const offered = checkProtocols(protocols);
  const journey = { first: place(url), headers: opts.headers, offered, opts };
  send(websocket, address, journey, prepare(websocket, url, journey));
}

/**
 * Checks an address and notes it as the WebSocket's.
 *
 * @throws {SyntaxError}
 */
function parseAddress(websocket, address) {
  let url;
  try {
    url = address instanceof URL ? new URL(address.href) : new URL(address);
  } catch {
    throw new SyntaxError(`Invalid URL: ${address}`);
  }
  if (url.protocol === 'http:') url.protocol = 'ws:';
  else if (url.protocol === 'https:') url.protocol = 'wss:';
  websocket._url = url.href;

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

/** Where a URL leads, as far as credentials are concerned. */
function place(url) {
  const isUnix = url.protocol === 'ws+unix:';
  return {
    host: isUnix ? splitUnix(url).socketPath : url.host,
    isSecure: url.protocol === 'wss:',
    isUnix
  };
}

/** The socket and the request path of a ws+unix: URL. */
function splitUnix({ pathname, search }) {
  const full = pathname + search;
  const colon = full.indexOf(':');
  // The request's path is "/" then.
  if (colon === -1) return { socketPath: full, path: '' };
  return { socketPath: full.slice(0, colon), path: full.slice(colon + 1) };
}

/**
 * Makes the request for one URL of the journey.
 *
 * @return {{deflate: ?PerMessageDeflate, key: String, request: http.ClientRequest}}
 * @throws {Error} What http.request() does not take, and what a connection cannot begin with
 */
function prepare(websocket, url, journey) {
  const key = randomBytes(16).toString('base64');
  const deflate = offerFor(journey.opts);
  const options = requestOptions(url, journey, key, deflate);
  if (journey.opts.followRedirects) prepareRedirects(websocket, url, journey, options);

  const { request } = url.protocol === 'wss:' ? https : http;
  return { deflate, key, request: request(options) };
}

/** Sends a request that was prepared; `base` is the address that was asked for. */
function send(websocket, base, journey, { deflate, key, request }) {
  websocket._req = request;
  if (websocket._redirects > 0) websocket.emit('redirect', websocket.url, request);
  follow(websocket, request, { base, deflate, journey, key });
  if (journey.opts.finishRequest) journey.opts.finishRequest(request, websocket);
  else request.end();
}

/** What is offered of permessage-deflate, or null. */
function offerFor({ maxPayload, perMessageDeflate }) {
  if (!perMessageDeflate) return null;
  return new PerMessageDeflate({ ...perMessageDeflate, isServer: false, maxPayload });
}

/**
 * Keeps what later requests need, and takes credentials out of a request that leaves the first
 * host or its TLS, unless a 'redirect' listener looks after that.
 */
function prepareRedirects(websocket, url, journey, options) {
  const { first } = journey;
  if (websocket._redirects === 0) {
    const entries = Object.entries(journey.headers || {});
    journey.headers = Object.fromEntries(
      entries.map(([name, value]) => [name.toLowerCase(), value])
    );
  } else if (websocket.listenerCount('redirect') === 0) {
    const { host, isSecure, isUnix } = place(url);
    const sameHost = isUnix === first.isUnix && host === first.host;
    if (!sameHost || (first.isSecure && !isSecure)) {
      delete options.headers.authorization;
      delete options.headers.cookie;
      if (!sameHost) delete options.headers.host;
      options.auth = undefined;
    }
  }
  // The first credentials stay, whatever a Location says.
  if (options.auth && !journey.headers.authorization) {
    journey.headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  }
}

/** Goes where a response says. */
function redirect(websocket, request, location, base, journey) {
  if (++websocket._redirects > journey.opts.maxRedirects) {
    fail(websocket, request, 'Maximum redirects exceeded');
    return;
  }
  giveUp(request);
  let address;
  let prepared;
  try {
    address = resolve(location, base);
    prepared = prepare(websocket, parseAddress(websocket, address), journey);
  } catch (error) {
    // COMPAT(ws 8.23): there, what http.request() throws ends the process.
    emitErrorAndClose(websocket, error);
    return;
  }
  send(websocket, address, journey, prepared);
}

function resolve(location, base) {
  try {
    return new URL(location, base);
  } catch {
    throw new SyntaxError(`Invalid URL: ${location}`);
  }
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
function requestOptions(url, { headers, offered, opts }, key, deflate) {
  const owned = {
    'Sec-WebSocket-Version': opts.protocolVersion,
    'Sec-WebSocket-Key': key,
    Connection: 'Upgrade',
    Upgrade: 'websocket'
  };
  if (deflate !== null) {
    owned['Sec-WebSocket-Extensions'] = extension.format({ [PERMESSAGE_DEFLATE]: deflate.offer() });
  }
  if (offered.size > 0) owned['Sec-WebSocket-Protocol'] = [...offered].join(',');
  if (opts.origin) {
    owned[opts.protocolVersion < 13 ? 'Sec-WebSocket-Origin' : 'Origin'] = opts.origin;
  }

  const secure = url.protocol === 'wss:';
  const port = secure ? TLS_PORT : PORT;
  const request = {
    ...opts,
    createConnection: opts.createConnection || (secure ? connectTls : connectPlain),
    defaultPort: opts.defaultPort || port,
    headers: { ...headers, ...owned },
    host: url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname,
    hostname: undefined,
    method: 'GET',
    path: url.pathname + url.search,
    port: url.port || port,
    protocol: undefined,
    protocols: undefined,
    socketPath: undefined,
    timeout: opts.handshakeTimeout
  };
  if (url.username || url.password) {
    // Unlike decodeURIComponent() it leaves what is no escape.
    request.auth = `${querystring.unescape(url.username)}:${querystring.unescape(url.password)}`;
  }
  if (url.protocol === 'ws+unix:') Object.assign(request, splitUnix(url));
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

function follow(websocket, request, { base, deflate, journey, key }) {
  if (journey.opts.handshakeTimeout) {
    request.on('timeout', () => {
      fail(websocket, request, 'Opening handshake has timed out');
    });
  }
  request.on('error', (error) => {
    // Also not after the upgrade.
    if (request[kAborted] || websocket._req !== request) return;
    websocket._req = null;
    emitErrorAndClose(websocket, error);
  });
  request.on('response', (response) => {
    const { headers, statusCode } = response;
    const isRedirect = statusCode >= 300 && statusCode < 400 && headers.location;
    if (isRedirect && journey.opts.followRedirects) {
      redirect(websocket, request, headers.location, base, journey);
    } else if (!websocket.emit('unexpected-response', request, response)) {
      fail(websocket, request, `Unexpected server response: ${statusCode}`);
    }
  });
  request.on('upgrade', (response, socket, head) => {
    websocket.emit('upgrade', response);
    // A listener may have closed the WebSocket.
    if (websocket.readyState !== CONNECTING) return;
    websocket._req = null;
    const problem = findProblem(websocket, response, key, journey.offered, deflate);
    if (problem !== null) {
      failWithSocket(websocket, socket, problem);
    } else {
      websocket.setSocket(socket, head, socketOptions(journey.opts));
    }
  });
}

/** What is wrong with a 101 response, or null. Notes the subprotocol and the extension. */
function findProblem(websocket, response, key, offered, deflate) {
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
  const answer = headers['sec-websocket-extensions'];
  return answer === undefined ? null : findExtensionProblem(websocket, answer, deflate);
}

function findExtensionProblem(websocket, answer, deflate) {
  if (deflate === null) {
    return 'Server sent a Sec-WebSocket-Extensions header but no extension was requested';
  }
  try {
    const extensions = extension.parse(answer);
    const names = Object.keys(extensions);
    if (names.length !== 1 || names[0] !== PERMESSAGE_DEFLATE) {
      return 'Server indicated an extension that was not requested';
    }
    deflate.accept(extensions[PERMESSAGE_DEFLATE]);
  } catch {
    return 'Invalid Sec-WebSocket-Extensions header';
  }
  websocket._extensions = { [PERMESSAGE_DEFLATE]: deflate };
  return null;
}

function emitErrorAndClose(websocket, error) {
  websocket._readyState = CLOSING;
  websocket._errorEmitted = true;
  websocket.emit('error', error);
  websocket.emitClose();
}

// 'error' comes from the socket's error and 'close' from its close, as with ws.
function failWithSocket(websocket, socket, message) {
  websocket._readyState = CLOSING;
  socket.once('error', (error) => {
    websocket._errorEmitted = true;
    websocket.emit('error', error);
  });
  socket.once('close', () => websocket.emitClose());
  socket.destroy(new Error(message));
}

/** COMPAT(ws 8.23): abort() and not destroy(): 'abort' and `aborted` can be seen. */
function giveUp(request) {
  request[kAborted] = true;
  request.abort();
}

function fail(websocket, request, message) {
  websocket._readyState = CLOSING;
  const error = new Error(message);
  Error.captureStackTrace(error, fail);
  giveUp(request);
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
