// Sends back whatever arrives: the page measures its round trip with it.

'use strict';

const WebSocket = require('../..');

const wss = new WebSocket.Server({ noServer: true, maxPayload: 64 * 1024 });

wss.on('connection', (ws) => {
  // A peer that breaks the protocol is closed by the library; there is nothing left to do.
  ws.on('error', () => {});
  ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
});

module.exports = wss;
