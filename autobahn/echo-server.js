// Echoes on a free port, which it prints. Limits are as the suite needs them.

'use strict';

const { WebSocketServer } = require('..');

const wss = new WebSocketServer({
  host: '127.0.0.1',
  // Group 9 sends a message in 65536 frames.
  maxFragments: 0,
  perMessageDeflate: { threshold: 0 },
  port: 0
});
wss.on('listening', () => console.log(wss.address().port));
wss.on('connection', (websocket) => {
  // The suite breaks the protocol on purpose.
  websocket.on('error', () => {});
  websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
});
