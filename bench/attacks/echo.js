// A healthy connection, in a process of its own: forked with the server's port.
// Echoes two bytes every two milliseconds, unless the last echo is still missing.
// 'mark' begins anew; 'stop' is answered with what was seen since, in milliseconds.

'use strict';

const { frame, open } = require('./frames');

const PAUSE = 2;
const PING = frame(0x81, Buffer.from('hi'));

let latencies = [];
let began = 0n;
let sent = 0n;

const now = () => process.hrtime.bigint();
const milliseconds = (from) => Number(now() - from) / 1e6;

function summary() {
  // What has not come back yet has taken so long at least.
  if (sent !== 0n) latencies.push(milliseconds(sent));
  const sorted = latencies.sort((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return {
    perSecond: (sorted.length * 1000) / milliseconds(began),
    p50: at(0.5),
    p99: at(0.99),
    max: sorted[sorted.length - 1]
  };
}

async function main() {
  const socket = await open(Number(process.argv[2]));
  socket.setNoDelay(true);
  socket.on('data', () => {
    latencies.push(milliseconds(sent));
    sent = 0n;
  });
  setInterval(() => {
    if (sent !== 0n) return;
    sent = now();
    socket.write(PING);
  }, PAUSE);
  process.on('message', (order) => {
    if (order === 'stop') process.send(summary());
    latencies = [];
    began = now();
  });
  process.on('disconnect', () => process.exit());
  process.send('ready');
}

main();
