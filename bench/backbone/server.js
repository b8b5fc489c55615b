// A server of the backbone's benchmarks, forked: node server.js LIBRARY URL FOLDER MODE.
// socket.io is taken from FOLDER. What a connection joins: the topics from FIRST to LAST if it
// connects with ?topics=FIRST-LAST, else in MODE `all` the topic "all", in `own` one of 100; there
// it publishes what it sends. Tells its port; answers each order.

'use strict';

const http = require('http');
const path = require('path');

const [, , library, url, folder, mode] = process.argv;
const OWN_TOPICS = 100;
// Never while something is measured.
const PING_INTERVAL = 3600000;

let connections = 0;

/** @return {{home: String, topics: String[]}} */
function topicsOf(request) {
  const range = new URL(request, 'ws://localhost').searchParams.get('topics');
  if (range === null) {
    const home = mode === 'all' ? 'all' : `topic ${connections++ % OWN_TOPICS}`;
    return { home, topics: [home] };
  }
  const [first, last] = range.split('-').map(Number);
  const topics = Array.from({ length: last - first + 1 }, (_, index) => `topic ${first + index}`);
  return { home: topics[0], topics };
}

async function ferrows() {
  const { WebSocketServer } = require('../..');
  const { kTopics } = require('../../lib/constants');
  const wss = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    backbone: url,
    maxSubscriptions: Infinity
  });
  const gaps = new Map();
  wss.on('backbone', ({ type, topic }) => {
    if (type === 'gap') gaps.set(topic, (gaps.get(topic) || 0) + 1);
  });
  wss.on('connection', (ws, request) => {
    const { home, topics } = topicsOf(request.url);
    for (const topic of topics) ws.subscribe(topic);
    ws.on('message', (data, isBinary) => wss.publish(home, data, { binary: isBinary }));
  });
  await new Promise((resolve) => wss.on('listening', resolve));
  await wss.flushBackbone();
  return {
    port: wss.address().port,
    publish: (topic, data) => wss.publish(topic, data),
    flush: () => wss.flushBackbone(),
    gaps: () => [...gaps.values()],
    dropped: () => wss[kTopics].backbone.counts.dropped
  };
}

async function socketio() {
  const from = (name) => require(require.resolve(name, { paths: [path.resolve(folder)] }));
  const { Server } = from('socket.io');
  const { createAdapter } = from('@socket.io/redis-adapter');
  const { createClient } = from('redis');
  // The adapter does not handle what becomes of a publish; without this the process would end.
  let refused = 0;
  process.on('unhandledRejection', () => refused++);
  const publisher = createClient({ url });
  const subscriber = publisher.duplicate();
  for (const client of [publisher, subscriber]) {
    client.on('error', () => {});
    await client.connect();
  }
  const server = http.createServer();
  const io = new Server(server, {
    transports: ['websocket'],
    pingInterval: PING_INTERVAL,
    adapter: createAdapter(publisher, subscriber)
  });
  io.on('connection', (socket) => {
    const { home, topics } = topicsOf(socket.request.url);
    socket.join(topics);
    socket.on('m', (data) => io.to(home).emit('m', data));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    publish: (topic, data) => io.to(topic).emit('m', data),
    // Commands of one connection are answered in order.
    flush: () => publisher.ping(),
    gaps: () => [],
    dropped: () => refused
  };
}

async function main() {
  const server = await (library === 'ferrows' ? ferrows() : socketio());
  const orders = {
    flush: () => server.flush(),
    gaps: () => server.gaps(),
    dropped: () => server.dropped(),
    async publish({ topics, data }) {
      for (let index = 0; index < topics; index++) server.publish(`topic ${index}`, data);
      await server.flush();
    }
  };
  process.on('message', async ({ order, ...rest }) => {
    process.send({ answer: (await orders[order](rest)) ?? null });
  });
  process.send({ answer: server.port });
}

process.on('disconnect', () => process.exit());
main();
