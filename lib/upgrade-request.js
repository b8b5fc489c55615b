// The http.IncomingMessage of an upgrade that a worker read.
//
// Owns: parsing a request head when it is looked at. Runs on: js.
// The worker has checked the head already, so it is well formed.

'use strict';

const { IncomingMessage } = require('http');

const kHead = Symbol('kHead');
const kRawHeaders = Symbol('kRawHeaders');
const kTransport = Symbol('kTransport');

class UpgradeRequest extends IncomingMessage {
  /**
   * @param {Buffer} head The request head as it arrived
   * @param {NativeTransport} transport
   */
  constructor(head, transport) {
    super(undefined);
    const text = head.latin1Slice(0, head.length).trimStart();
    const lineEnd = text.indexOf('\r\n');
    const [method, url, version] = text.slice(0, lineEnd).split(' ');

    this[kHead] = text.slice(lineEnd + 2, -4);
    this[kTransport] = transport;
    this.method = method;
    this.url = url;
    this.httpVersion = version.slice(5);
    this.httpVersionMajor = Number(version[5]);
    this.httpVersionMinor = Number(version[7]);
    this.upgrade = true;
  }

  get rawHeaders() {
    parseHeaders(this);
    return this[kRawHeaders];
  }

  set rawHeaders(headers) {
    this[kRawHeaders] = headers;
  }

  get headers() {
    parseHeaders(this);
    return super.headers;
  }

  set headers(headers) {
    super.headers = headers;
  }

  get headersDistinct() {
    parseHeaders(this);
    return super.headersDistinct;
  }

  set headersDistinct(headers) {
    super.headersDistinct = headers;
  }

  get socket() {
    const transport = this[kTransport];
    return transport === undefined ? undefined : transport.socket;
  }

  // IncomingMessage begins with the socket it was given.
  set socket(socket) {
    if (socket !== undefined)
      Object.defineProperty(this, 'socket', { value: socket, writable: true });
  }
}

// Node's own method stores the lines and folds them when `headers` is asked for.
function parseHeaders(request) {
  const text = request[kHead];
  if (text === undefined) return;
  request[kHead] = undefined;

  const lines = [];
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon !== -1) lines.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  request._addHeaderLines(lines, lines.length);
  request.complete = true;
}

module.exports = UpgradeRequest;
