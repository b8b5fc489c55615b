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
    this.complete = true;
  }

  get rawHeaders() {
    if (this[kRawHeaders] === undefined) this[kRawHeaders] = parseHeaders(this[kHead]);
    return this[kRawHeaders];
  }

  // IncomingMessage begins with an empty list.
  set rawHeaders(headers) {
    if (headers.length > 0) this[kRawHeaders] = headers;
  }

  get socket() {
    const transport = this[kTransport];
    return transport === undefined ? undefined : transport.socket;
  }

  // IncomingMessage begins with the socket it was given.
  set socket(socket) {
    if (socket !== undefined) Object.defineProperty(this, 'socket', { value: socket, writable: true });
  }
}

function parseHeaders(text) {
  const headers = [];
  if (text === '') return headers;
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    headers.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return headers;
}

module.exports = UpgradeRequest;
