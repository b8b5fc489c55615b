// A server on a port of its own: node examples/server-port.js [port]

'use strict';

const WebSocket = require('..'); // require('ferrows') in your project

const wss = new WebSocket.Server({ port: Number(process.argv[2] || 8080) });

wss.on('connection', (ws) => {
  // Without a listener, a peer that breaks the protocol would end the process.
  ws.on('error', console.error);

  ws.on('message', (message) => {
    console.log('received: %s', message);
  });

  ws.send('something');
});
