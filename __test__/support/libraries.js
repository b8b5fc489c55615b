// The two libraries that are compared, and servers made with them.

'use strict';

const http = require('http');
const { once } = require('events');

const ferrows = require('../..');
const ws = require('ws');

/** Starts a WebSocketServer in a mode and resolves with { wss, port, close }. */
async function serve(WebSocket, mode, options = {}) {
  if (mode === 'port') {
    const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', ...options });
    await once(wss, 'listening');
    return { wss, port: wss.address().port, close: () => stop(wss) };
  }
  const server = http.createServer();
  const wss = new WebSocket.Server({ noServer: true, ...options });
  server.on('upgrade', (request, socket, head) => {
    wss.handleUpgrade(request, socket, head, (websocket) => {
      wss.emit('connection', websocket, request);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    for (const client of wss.clients || []) client.terminate();
    await new Promise((resolve) => server.close(resolve));
  };
  return { wss, server, port: server.address().port, close };
}

function stop(wss) {
  for (const client of wss.clients || []) client.terminate();
  return new Promise((resolve) => wss.close(resolve));
}

module.exports = { libraries: { ws, ferrows }, serve };
