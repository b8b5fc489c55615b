// A cluster worker with a server on the shared port; see process/cluster.test.js.

'use strict';

const WebSocket = require('../..');

const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });

wss.on('listening', () => process.send(wss.address().port));
wss.on('connection', (ws) => {
  ws.send(String(process.pid));
  ws.on('message', (data) => ws.send(String(data)));
});
