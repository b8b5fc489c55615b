// Pushes the live counters once a second.

'use strict';

const { monitorEventLoopDelay } = require('perf_hooks');

const counters = require('./counters');
const WebSocket = require('../..');

const INTERVAL = 1000;
const RESOLUTION = 10;

const wss = new WebSocket.Server({ noServer: true, maxPayload: 1024 });
const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
let last = { received: 0, sent: 0, at: Date.now() };

wss.on('connection', counters.track);
delay.enable();

const timer = setInterval(() => {
  const now = { received: counters.received, sent: counters.sent, at: Date.now() };
  const seconds = (now.at - last.at) / 1000;
  const text = JSON.stringify({
    connections: counters.connections,
    received: Math.round((now.received - last.received) / seconds),
    sent: Math.round((now.sent - last.sent) / seconds),
    // The monitor counts its own sampling interval as delay.
    lag: Math.max(delay.percentile(99) / 1e6 - RESOLUTION, 0),
    memory: process.memoryUsage().rss,
    uptime: process.uptime()
  });
  last = now;
  delay.reset();
  for (const client of wss.clients) client.send(text);
}, INTERVAL);

wss.stop = () => {
  clearInterval(timer);
  delay.disable();
};

module.exports = wss;
