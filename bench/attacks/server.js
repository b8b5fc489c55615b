// The attacked server, in a process of its own: forked with LIBRARY (ws, ferrows or
// a package with ws's API) and a scenario's `server`. '/' echoes; '/attack' counts. Tells its
// port; 'go' starts what the scenario wants of the server; when `until` messages came it says so.

'use strict';

const name = process.argv[2];
const { WebSocketServer, createWebSocketStream } =
  name === 'ferrows' ? require('../..') : require(name);
const { deflate = false, handler = 'count', until, ...options } = JSON.parse(process.argv[3]);

const BLOCKED = 4000;
const PAUSED = 100;
const BLOCK = 64 * 1024;
const TOTAL = 1e9;
const LARGE = 8 << 20;
const SENDS_A_TICK = 64;

const attackers = [];
let count = 0;
let blocked = 0;

function note() {
  if (++count === until) process.send({ done: true, blocked });
}

function finish() {
  setTimeout(() => process.send({ done: true, blocked }), 250);
}

const handlers = {
  count(ws) {
    ws.on('message', note);
  },
  pause(ws) {
    ws.once('message', () => {
      ws.pause();
      setTimeout(() => ws.resume(), PAUSED);
    });
    ws.on('message', note);
  },
  stream(ws) {
    createWebSocketStream(ws)
      .on('error', () => {})
      .on('data', note);
  }
};

const orders = {
  /** JavaScript is busy with something else. */
  block() {
    setTimeout(() => {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCKED);
    }, 50);
  },
  /** Sends the same Buffer again and again, whatever `bufferedAmount` says. */
  pile() {
    const [ws] = attackers;
    const same = Buffer.alloc(BLOCK, 1);
    let bytes = 0;
    (function step() {
      for (let i = 0; i < SENDS_A_TICK && bytes < TOTAL; i++, bytes += BLOCK) ws.send(same);
      if (bytes < TOTAL) setImmediate(step);
      else finish();
    })();
  },
  /** Sends one large Buffer to everybody. */
  broadcast() {
    const large = Buffer.alloc(LARGE, 1);
    const began = process.hrtime.bigint();
    for (const ws of attackers) ws.send(large);
    blocked = Number(process.hrtime.bigint() - began) / 1e6;
    finish();
  }
};

const wss = new WebSocketServer(
  { port: 0, host: '127.0.0.1', perMessageDeflate: deflate, ...options },
  () => process.send({ port: wss.address().port })
);
wss.on('connection', (ws, { url }) => {
  ws.on('error', () => {});
  if (url === '/attack') {
    attackers.push(ws);
    handlers[handler](ws);
  } else {
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  }
});

process.on('message', (order) => orders[order]());
process.on('disconnect', () => process.exit());
