// Takes a socket over from Node: a reactor gets the descriptor, the user keeps
// the net.Socket object.
//
// Owns: which sockets suit, the way of the descriptor, with whatever Node had
// read already. Used by the server and the client. Runs on: js.
// INVARIANT: the http server counts the connection until it really ends.
// Tests: __test__/interop.

'use strict';

const net = require('net');
const { types } = require('util');

const { EMPTY_BUFFER, NOOP, kWebSocket } = require('./constants');
const { deliverEarly, splitEarly } = require('./early-frames');
const { adoptDescriptor } = require('./native-transport');
const { wrapSocket } = require('./native-socket');

/**
 * Whether a reactor can have this socket: plain TCP or a Unix socket with a descriptor, with
 * nothing left to write, and with nobody else who reads it or wants to see what passes.
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
    isHandleAsMade(socket._handle) &&
    socket.writableLength === 0 &&
    socket.writableCorked === 0 &&
    // Somebody reads by himself, or text, or has read the end.
    socket.listenerCount('data') === 0 &&
    socket.listenerCount('readable') === 0 &&
    socket.readableEncoding === null &&
    !socket._readableState.ended
  );
}

// Somebody who replaced one of these, on the socket or in between, wants to see what passes.
const WATCHED = ['write', '_write', '_writev', 'end', 'emit', 'push', 'read', '_read', 'unshift'];
WATCHED.push('pause', 'resume', '_destroy', '_final', 'destroy');
const { prototype: genuine } = net.Socket;
const ORIGINALS = WATCHED.map((name) => genuine[name]);
// http puts methods of its own on the sockets of its servers, of this name.
const LISTENING = ['on', 'addListener', 'once', 'prependListener', 'prependOnceListener'];
const WRAPPER_OF_HTTP = 'socketListenerWrap';

function isAsMade(socket) {
  return (
    Object.getPrototypeOf(socket) === genuine &&
    WATCHED.every((name, index) => socket[name] === ORIGINALS[index]) &&
    LISTENING.every(
      (name) => socket[name] === genuine[name] || socket[name].name === WRAPPER_OF_HTTP
    )
  );
}

const HANDLED = ['readStart', 'readStop', 'writeBuffer', 'writev', 'writeUtf8String', 'shutdown'];
HANDLED.push('writeLatin1String', 'writeAsciiString', 'writeUcs2String', 'close');

function isHandleAsMade(handle) {
  return (
    !types.isProxy(handle) &&
    handle.fd >= 0 &&
    // Bun's handles are others.
    typeof handle.readStop === 'function' &&
    HANDLED.every((name) => !Object.prototype.hasOwnProperty.call(handle, name))
  );
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
  transport.referenced = handle.hasRef();
  socket[kWebSocket] = transport;
  wrapSocket(socket, transport);
  // libuv takes the old descriptor out of its set before it closes it; the duplicate is safe.
  handle.onread = NOOP;
  handle.close();
  return { transport, head: EMPTY_BUFFER };
}

function readBuffered(socket, head) {
  const chunks = head.length > 0 ? [head] : [];
  while (socket.readableLength > 0) chunks.push(socket.read());
  if (chunks.length === 0) return EMPTY_BUFFER;
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
}

module.exports = { canTakeOver, takeOver };
