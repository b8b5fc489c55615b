// Takes a socket over from Node: the worker gets the descriptor, the user keeps
// the net.Socket object.
//
// Owns: the exchange of the handle under a net.Socket, with whatever Node had
// read already. Used by the server and the client. Runs on: js.
// INVARIANT: the http server counts the connection until it really ends.
// Tests: __test__/interop.

'use strict';

const net = require('net');

const { EMPTY_BUFFER, NOOP, kWebSocket } = require('./constants');
const { deliverEarly, splitEarly } = require('./early-frames');
const { adoptDescriptor } = require('./native-transport');

const UV_ECANCELED = -125;

/**
 * Whether a worker can own this socket: plain TCP or a Unix socket with a descriptor and with
 * nothing left to write.
 *
 * @param {Duplex} socket
 * @return {Boolean}
 */
function canTakeOver(socket) {
  return (
    socket instanceof net.Socket &&
    isAsMade(socket) &&
    socket.encrypted !== true &&
    !socket.connecting &&
    Boolean(socket._handle) &&
    socket._handle.fd >= 0 &&
    // Bun's handles are others.
    typeof socket._handle.readStop === 'function' &&
    socket.writableLength === 0
  );
}

// Somebody who replaced one of these, on the socket or in between, wants to see what passes.
const WATCHED = ['write', '_write', '_writev', 'end', 'emit', 'push'];
const ORIGINALS = WATCHED.map((name) => net.Socket.prototype[name]);

function isAsMade(socket) {
  return WATCHED.every((name, index) => socket[name] === ORIGINALS[index]);
}

/**
 * Moves a socket to a reactor.
 *
 * @param {net.Socket} socket
 * @param {Buffer} head Bytes that came with the upgrade
 * @param {Buffer} preface What to write first
 * @param {Uint32Array} settings
 * @return {{transport: ?NativeTransport, head: Buffer}} No transport if the process has no
 *     descriptor left: the socket is as it was, but for the bytes that `head` has now
 */
function takeOver(socket, head, preface, settings) {
  const handle = socket._handle;

  socket.setTimeout(0);
  const unread = readBuffered(socket, head);
  const { frames, rest } = splitEarly(unread, settings);
  handle.readStop();

  let transport;
  try {
    transport = adoptDescriptor(handle.fd, settings, preface, rest);
  } catch {
    handle.readStart();
    return { transport: null, head: unread };
  }
  if (frames.length > 0) process.nextTick(deliverEarly, transport, frames);
  transport.socket = socket;
  socket[kWebSocket] = transport;
  socket._handle = standInFor(handle, transport);
  // libuv takes the old descriptor out of its set before it closes it; the duplicate is safe.
  handle.onread = NOOP;
  handle.close();
  transport.onceGone(() => socket.destroy());
  // What destroys the socket with an error, an AbortSignal for one, ends the connection and no more.
  socket.on('error', NOOP);
  return { transport, head: EMPTY_BUFFER };
}

function readBuffered(socket, head) {
  const chunks = head.length > 0 ? [head] : [];
  socket.pause();
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) chunks.push(chunk);
  if (chunks.length === 0) return EMPTY_BUFFER;
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

function standInFor(handle, transport) {
  const standIn = new HandleStandIn(handle, transport);
  // Node finds the socket of a handle through a symbol of its own.
  for (const symbol of Object.getOwnPropertySymbols(handle)) standIn[symbol] = handle[symbol];
  return standIn;
}

// Pipes have no addresses.
function addressFrom(handle, method) {
  const address = {};
  if (typeof handle[method] === 'function') handle[method](address);
  return address;
}

/**
 * What net.Socket asks of a handle.
 */
class HandleStandIn {
  constructor(handle, transport) {
    this._transport = transport;
    this.fd = handle.fd;
    this.bytesRead = handle.bytesRead;
    this.bytesWritten = handle.bytesWritten;
    this.reading = false;
    this._asyncId = handle.getAsyncId();
    this._peer = addressFrom(handle, 'getpeername');
    this._local = addressFrom(handle, 'getsockname');
  }

  getpeername(out) {
    Object.assign(out, this._peer);
    return 0;
  }

  getsockname(out) {
    Object.assign(out, this._local);
    return 0;
  }

  readStart() {
    return 0;
  }

  readStop() {
    return 0;
  }

  ref() {
    this._transport.referenced = true;
  }

  unref() {
    this._transport.referenced = false;
  }

  hasRef() {
    return this._transport.referenced;
  }

  getAsyncId() {
    return this._asyncId;
  }

  setNoDelay(on) {
    this._transport.setNoDelay(on);
    return 0;
  }

  setKeepAlive(on, seconds) {
    this._transport.setKeepAlive(on, seconds);
    return 0;
  }

  shutdown() {
    this._transport.end();
    // 1 tells Node that no completion will follow.
    return 1;
  }

  close(callback) {
    this._transport.destroy();
    if (callback) setImmediate(callback.bind(this));
  }

  reset(callback) {
    this.close(callback);
    return 0;
  }

  writeBuffer(request, data) {
    return this._write(request, data);
  }

  writeUtf8String(request, text) {
    return this._write(request, Buffer.from(text, 'utf8'));
  }

  writeLatin1String(request, text) {
    return this._write(request, Buffer.from(text, 'latin1'));
  }

  writeAsciiString(request, text) {
    return this._write(request, Buffer.from(text, 'latin1'));
  }

  writeUcs2String(request, text) {
    return this._write(request, Buffer.from(text, 'utf16le'));
  }

  writev(request, chunks, allBuffers) {
    if (allBuffers) return this._write(request, Buffer.concat(chunks));
    const buffers = [];
    for (let i = 0; i < chunks.length; i += 2) buffers.push(Buffer.from(chunks[i], chunks[i + 1]));
    return this._write(request, Buffer.concat(buffers));
  }

  _write(request, data) {
    this.bytesWritten += data.length;
    request.bytes = data.length;
    this._transport.raw(data, (error) => {
      // Node has called back already if it took the write for a synchronous one.
      if (request.async) request.oncomplete(error ? UV_ECANCELED : 0, this, undefined);
    });
    return 0;
  }
}

module.exports = { canTakeOver, takeOver };
