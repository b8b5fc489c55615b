// The server of the benchmarks: node server.js LIBRARY, where LIBRARY is ws,
// ferrows or the name of an installed package with ws's API. Prints its port.
//
// HANDLER says what becomes of a message (below; `echo` if unset). With TLS set
// it is an https server, with DEFLATE it compresses. Ends when standard input does.

'use strict';

const https = require('https');

const burn = require('./burn');

const name = process.argv[2];
const WebSocket = name === 'ferrows' ? require('../..') : require(name);
const { BURN, DEFLATE, HANDLER = 'echo', SENDS, TLS } = process.env;
const perMessageDeflate = DEFLATE === undefined ? false : { threshold: 0 };

function listen() {
  if (TLS === undefined) {
    return new WebSocket.Server({
      clientTracking: true,
      host: '127.0.0.1',
      perMessageDeflate,
      port: 0
    });
  }
  const { make } = require('../../__test__/support/certificate');
  const server = https.createServer(make());
  server.listen(0, '127.0.0.1');
  return new WebSocket.Server({ server, clientTracking: true, perMessageDeflate });
}

const wss = listen();

function toAll(data) {
  for (const client of wss.clients) client.send(data);
}

/** Sends many times with a callback, and once more when all were called. */
function sendWithCallbacks(ws, data) {
  let left = Number(SENDS);
  const done = (error) => {
    if (error) throw error;
    if (--left === 0) ws.send(data);
  };
  for (let count = left; count > 0; count--) ws.send(data, done);
}

const handlers = {
  echo: (ws, data, isBinary) => ws.send(data, { binary: isBinary }),
  burn(ws, data) {
    burn(BURN);
    ws.send(data);
  },
  callbacks: sendWithCallbacks,
  fanout: (ws, data) => toAll(data),
  'fanout-timer': (ws, data) => setTimeout(toAll, 1, data),
  async 'fanout-async'(ws, data) {
    await null;
    toAll(data);
  }
};
const handler = handlers[HANDLER];

wss.on('listening', () => console.log(wss.address().port));
wss.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => handler(ws, data, isBinary));
});

process.stdin.on('end', () => process.exit()).resume();
