// The round trip of this browser's own messages, four a second.

import { connect } from './connection.js';

const SAMPLES = 60;
const INTERVAL = 250;

const samples = [];

function show(milliseconds) {
  samples.push(milliseconds);
  if (samples.length > SAMPLES) samples.shift();
  const sorted = [...samples].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)];
  document.getElementById('rtt').textContent = `${median.toFixed(2)} ms`;
}

connect('/echo', {
  onOpen: (ws) => ws.send(String(performance.now())),
  onMessage(data, ws) {
    show(performance.now() - Number(data));
    setTimeout(() => {
      if (ws.readyState === WebSocket.OPEN) ws.send(String(performance.now()));
    }, INTERVAL);
  }
});
