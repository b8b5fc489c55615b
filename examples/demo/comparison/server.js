// The server that is compared, in a process of its own: node server.js LIBRARY,
// where LIBRARY is ws or ferrows. Nothing but the require() differs, and the topic,
// which ws does not have.
//
// Started by run.js, which gets the port and, ten times a second, what the process
// cost and who drives the I/O. Ends with its parent, and by itself after LIFETIME.

'use strict';

const fs = require('fs');

const LIFETIME = 120000;
const INTERVAL = 100;
const BURN = 0.05;
const TOPIC = 'everybody';

const library = process.argv[2];
const WebSocket = library === 'ferrows' ? require('../../..') : require('ws');

const wss = new WebSocket.Server({ host: '127.0.0.1', port: 0 });

function sendToAll(ws, data, isBinary) {
  for (const client of wss.clients) client.send(data, { binary: isBinary });
}

function publish(ws, data, isBinary) {
  wss.publish(TOPIC, data, { binary: isBinary });
}

const handlers = {
  '/echo': (ws, data, isBinary) => ws.send(data, { binary: isBinary }),
  '/fanout': sendToAll,
  '/topic': library === 'ferrows' ? publish : sendToAll,
  '/busy'(ws, data, isBinary) {
    const end = performance.now() + BURN;
    while (performance.now() < end);
    ws.send(data, { binary: isBinary });
  }
};

wss.on('connection', (ws, request) => {
  const handler = handlers[request.url];
  if (handler === publish) ws.subscribe(TOPIC);
  ws.on('error', () => {});
  ws.on('message', (data, isBinary) => handler(ws, data, isBinary));
});

/** CPU milliseconds of this thread so far, or null where the system does not tell. */
function ofThisThread() {
  if (process.threadCpuUsage) {
    const { system, user } = process.threadCpuUsage();
    return (system + user) / 1000;
  }
  try {
    const text = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'latin1');
    return Number(text.split(' ', 1)[0]) / 1e6;
  } catch {
    return null;
  }
}

/** Who drives the I/O: 'js', 'worker' or 'both'; null where there is no such choice. */
function driver() {
  if (library !== 'ferrows') return null;
  const drivers = new Set(require('../../../lib/bridge').drivers());
  if (drivers.size > 1) return 'both';
  return drivers.has('worker') ? 'worker' : 'js';
}

function report() {
  const { system, user } = process.cpuUsage();
  process.send({
    at: Date.now(),
    cpu: (system + user) / 1000,
    js: ofThisThread(),
    driver: driver()
  });
}

wss.on('listening', () => {
  process.send({ port: wss.address().port });
  setInterval(report, INTERVAL);
});
process.on('disconnect', () => process.exit());
setTimeout(() => process.exit(), LIFETIME).unref();
