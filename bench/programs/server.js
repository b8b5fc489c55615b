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
const perMessageDeflate =
  DEFLATE === undefined
    ? false
    : { threshold: 0, serverNoContextTakeover: DEFLATE !== 'takeover' || undefined };

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

// What a client is subscribed to: a topic for all, or 100 of 10 000, ten clients each.
const ALL = ['all'];
const TOPICS = 10000;
const TOPICS_EACH = 100;
let clients = 0;

function topicsOfNext() {
  if (HANDLER !== 'topics') return ALL;
  const first = (clients++ * TOPICS_EACH) % TOPICS;
  return Array.from({ length: TOPICS_EACH }, (_, index) => `topic ${first + index}`);
}

// Libraries without topics keep a set of clients for each.
const members = new Map();

function join(ws, topic) {
  if (ws.subscribe !== undefined) ws.subscribe(topic);
  else if (members.has(topic)) members.get(topic).add(ws);
  else members.set(topic, new Set([ws]));
}

function publish(topic, data, isBinary) {
  if (wss.publish !== undefined) wss.publish(topic, data, { binary: isBinary });
  else for (const client of members.get(topic)) client.send(data, { binary: isBinary });
}

let dice = 1;

/** A topic at random, the same ones in each run. */
function anyTopic() {
  dice = (Math.imul(dice, 1103515245) + 12345) >>> 0;
  return `topic ${(dice >>> 8) % TOPICS}`;
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
  },
  publish: (ws, data, isBinary) => publish('all', data, isBinary),
  topics: (ws, data, isBinary) => publish(anyTopic(), data, isBinary)
};
const handler = handlers[HANDLER];

wss.on('listening', () => console.log(wss.address().port));
wss.on('connection', (ws) => {
  if (HANDLER === 'publish' || HANDLER === 'topics') {
    for (const topic of topicsOfNext()) join(ws, topic);
  }
  ws.on('message', (data, isBinary) => handler(ws, data, isBinary));
});

process.stdin.on('end', () => process.exit()).resume();
