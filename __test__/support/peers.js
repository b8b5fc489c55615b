// A WebSocket of the library under test with a raw peer at its other end.

'use strict';

const net = require('net');
const { createHash } = require('crypto');
const { once } = require('events');

const { RawPeer, request } = require('./raw-peer');

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What Sec-WebSocket-Accept must say for a key. */
function acceptOf(key) {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/**
 * A TCP server; all that it holds is destroyed by close().
 *
 * @param {Function} listener Called with each socket
 * @return {Promise<{port: Number, url: String, close: Function}>}
 */
async function tcpServer(listener) {
  const sockets = new Set();
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    listener(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return { port, url: `ws://127.0.0.1:${port}`, close };
}

/**
 * A server that answers every request head with what `answer` returns; null says nothing.
 *
 * @param {Function} answer Called with ({ head, key, accept, socket }) per connection
 */
function answeringServer(answer) {
  return tcpServer((socket) => {
    let text = '';
    const onData = (chunk) => {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      socket.removeListener('data', onData);
      const [, key] = /^sec-websocket-key: (.*)\r$/im.exec(text) || [];
      const bytes = answer({ head: text, key, accept: acceptOf(key), socket });
      if (bytes !== null) socket.write(bytes);
    };
    socket.on('data', onData);
  });
}

/** The bytes of a good 101 response. */
function switching(accept, ...lines) {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    ...lines,
    '\r\n'
  ].join('\r\n');
}

/**
 * A raw peer that plays the server for a client.
 *
 * @param {Function} connect Called with the URL, returns the client
 * @param {Buffer} [first] Sent in the same write as the 101 response
 * @return {Promise<{websocket: WebSocket, peer: RawPeer, close: Function}>}
 */
async function clientWithPeer(connect, first = Buffer.alloc(0)) {
  let websocket;
  let peer;
  const server = await answeringServer(({ accept, socket }) => {
    peer = new RawPeer(socket);
    // The client's frames follow its request directly: there is no head to skip.
    peer.head = 'HTTP/1.1 101';
    return Buffer.concat([Buffer.from(switching(accept)), first]);
  });
  try {
    websocket = connect(server.url);
    await once(websocket, 'open');
  } catch (error) {
    await server.close();
    throw error;
  }
  return { websocket, peer, close: server.close };
}

/**
 * A server with one connection from a raw peer.
 *
 * @param {Function} WebSocket
 * @param {Object} [options] Of the server
 * @return {Promise<{wss: WebSocketServer, websocket: WebSocket, peer: RawPeer, close: Function}>}
 */
async function serverWithPeer(WebSocket, options) {
  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', ...options });
  await once(wss, 'listening');
  const connected = once(wss, 'connection');
  const peer = await RawPeer.connect(wss.address().port, request());
  const [websocket] = await connected;
  await peer.headers();
  const close = () => {
    websocket.terminate();
    peer.socket.destroy();
    return new Promise((resolve) => wss.close(resolve));
  };
  return { wss, websocket, peer, close };
}

module.exports = {
  acceptOf,
  answeringServer,
  clientWithPeer,
  serverWithPeer,
  switching,
  tcpServer
};
