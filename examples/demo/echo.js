// Sends back whatever arrives: the round-trip meter and the load button use it.

'use strict';

const counters = require('./counters');
const WebSocket = require('../..');

const wss = new WebSocket.Server({ noServer: true, maxPayload: 64 * 1024 });

wss.on('connection', (ws) => {
  counters.track(ws);
  ws.on('message', (data, isBinary) => {
    counters.received++;
    counters.sent++;
    ws.send(data, { binary: isBinary });
  });
});

module.exports = wss;
