// Gives Node the sockets of a listener that left its reactor.
//
// Owns: making a server of Node's go on with a listening descriptor, and with
// connections of which something was read. Called by native-listener.js. Runs on: js.
// Tests: __test__/differential/http-server.test.js.

'use strict';

const { Buffer } = require('buffer');
const net = require('net');

// What of a listening server is its handle's.
const OF_THE_HANDLE = ['_handle', '_connectionKey'];
const ASYNC_ID = 'async_id_symbol';
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');

/**
 * Makes a server listen on a descriptor.
 *
 * @param {http.Server} server
 * @param {Number} fd A listening socket's
 * @param {Number} backlog
 * @param {Boolean} isListening Whether everybody knows: 'listening' is not emitted then
 */
function moveListener(server, fd, backlog, isListening) {
  if (!isListening) {
    server.listen({ fd, backlog }, backlog);
    return;
  }
  // Another server listens and gives its handle away before it can say so.
  const shell = net.createServer();
  shell.listen({ fd, backlog }, backlog);
  for (const name of OF_THE_HANDLE) server[name] = shell[name];
  for (const symbol of Object.getOwnPropertySymbols(shell)) {
    if (symbol.description === ASYNC_ID) server[symbol] = shell[symbol];
  }
  giveHandle(shell, server);
  // What Node's own listeners do with the event.
  for (const listener of server.listeners('listening')) listener.call(server);
}

/** The handle of one object becomes another's. Node finds whose it is through a symbol of its own. */
function giveHandle(from, to) {
  const { _handle: handle } = from;
  for (const symbol of Object.getOwnPropertySymbols(handle)) {
    if (handle[symbol] === from) handle[symbol] = to;
  }
  from._handle = null;
  return handle;
}

/**
 * Makes a server go on with connections. Called before anybody else listens for its events.
 *
 * @param {http.Server} server
 * @param {Array<{fd: Number, said: Number[], idle: Boolean}>} guests
 */
function moveGuests(server, guests) {
  for (const guest of guests) {
    const shell = new net.Socket({ fd: guest.fd, manualStart: true });
    if (server._handle === null) {
      shell.destroy();
      continue;
    }
    const handle = giveHandle(shell, null);
    const accepted = [];
    const note = (socket) => accepted.push(socket);
    server.on('connection', note);
    try {
      server._handle.onconnection(0, handle);
    } finally {
      server.removeListener('connection', note);
    }
    // With `maxConnections` it may have been dropped.
    if (accepted.length > 0) tell(server, accepted[0], guest);
  }
}

/** Tells Node's parser of a connection what its peer has said. */
function tell(server, socket, { said, idle }) {
  if (said.length > 0) socket.emit('data', Buffer.from(said));
  if (!idle) return;
  // It had its answers: for Node, whose parser looks after idle connections, it has asked something.
  const { parser } = socket;
  const { onIncoming } = parser;
  parser.onIncoming = () => 0;
  parser.execute(REQUEST);
  parser.onIncoming = onIncoming;

  const { bytesRead } = socket;
  if (server.keepAliveTimeout > 0) {
    setTimeout(() => {
      if (socket.bytesRead === bytesRead) socket.destroy();
    }, server.keepAliveTimeout).unref();
  }
}

module.exports = { moveGuests, moveListener };
