// node bench/topics.js: what topics cost on the JavaScript thread and in memory.
//
// Joining and leaving, publishing to nobody else's loss, bytes of resident memory a
// subscription. Linux; prints one line each. bench/README.md.

'use strict';

const { once } = require('events');

const WebSocket = require('..');

const CONNECTIONS = 1000;
const TOPICS = 10000;
const TOPICS_EACH = 100;
const PAIRS = 200000;
const PUBLISHES = 20000;

const settle = () => new Promise((resolve) => setTimeout(resolve, 500));

function microseconds(count, act) {
  const began = process.hrtime.bigint();
  for (let index = 0; index < count; index++) act(index);
  return Number(process.hrtime.bigint() - began) / 1000 / count;
}

async function gather(wss) {
  const sockets = [];
  wss.on('connection', (ws) => sockets.push(ws));
  for (let index = 0; index < CONNECTIONS; index++) {
    const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
    await once(client, 'open');
  }
  while (sockets.length < CONNECTIONS) await once(wss, 'connection');
  return sockets;
}

async function memory(name, sockets, topicsOf) {
  global.gc();
  await settle();
  global.gc();
  const before = process.memoryUsage().rss;
  let count = 0;
  for (const [index, ws] of sockets.entries()) {
    for (const topic of topicsOf(index)) {
      ws.subscribe(topic);
      count++;
    }
  }
  await settle();
  global.gc();
  await settle();
  const bytes = (process.memoryUsage().rss - before) / count;
  console.log(`${name}: ${bytes.toFixed(0)} bytes a subscription (${count})`);
}

async function main() {
  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
  await once(wss, 'listening');
  const sockets = await gather(wss);
  const [one, other] = sockets;

  other.subscribe('busy');
  for (const topic of ['busy', 'a topic of its own']) {
    for (let round = 0; round < 3; round++) {
      const each = microseconds(PAIRS, () => {
        one.subscribe(topic);
        one.unsubscribe(topic);
      });
      await settle();
      if (round === 2) {
        console.log(`join and leave, ${topic}: ${(1 / each).toFixed(2)} million pairs a second`);
      }
    }
  }
  const data = Buffer.alloc(64, 'x');
  for (let round = 0; round < 3; round++) {
    const each = microseconds(PUBLISHES, () => wss.publish('busy', data));
    await settle();
    if (round === 2) console.log(`publish, with what it writes to one: ${each.toFixed(2)} us`);
  }
  const names = Array.from({ length: TOPICS }, (_, index) => `topic ${index}`);
  await memory('10 000 topics of 10', sockets, (index) => {
    const first = (index * TOPICS_EACH) % TOPICS;
    return names.slice(first, first + TOPICS_EACH);
  });
  for (const ws of sockets) for (const topic of ws.subscriptions) ws.unsubscribe(topic);
  const few = names.slice(0, 500);
  await memory('500 topics of 1000', sockets, () => few);
  process.exit();
}

if (global.gc === undefined) {
  console.error('node --expose-gc bench/topics.js');
  process.exitCode = 1;
} else {
  main();
}
