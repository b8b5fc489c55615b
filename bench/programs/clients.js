// The load of the client benchmark: node clients.js LIBRARY PORT COUNT SECONDS.
// Opens COUNT clients, keeps one message of each under way, checks that what
// comes back is what was sent, and prints one JSON object.

'use strict';

const fs = require('fs');

const [, , name, port, count, seconds] = process.argv;
const WebSocket = name === 'ferrows' ? require('../..') : require(name);
const WARMUP = 500;
const AT_ONCE = 50;
const PAYLOAD = 64;

/** CPU nanoseconds of the JavaScript thread and of the whole process. */
function cpu() {
  const main = fs.readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0];
  const { user, system } = process.cpuUsage();
  return { main: Number(main), all: (user + system) * 1000 };
}

async function open(clients) {
  while (clients.length < count) {
    const batch = Array.from({ length: Math.min(AT_ONCE, count - clients.length) }, () => {
      const url = `ws://127.0.0.1:${port}`;
      const client = new WebSocket(url, { perMessageDeflate: false });
      return new Promise((resolve, reject) => {
        client.on('open', () => resolve(client));
        client.on('error', reject);
      });
    });
    clients.push(...(await Promise.all(batch)));
  }
}

async function main() {
  const before = process.memoryUsage().rss;
  const clients = [];
  await open(clients);
  await new Promise((resolve) => setTimeout(resolve, WARMUP));
  const resident = (process.memoryUsage().rss - before) / 1024 / count;

  let messages = 0;
  for (const client of clients) {
    const payload = Buffer.alloc(PAYLOAD);
    let serial = 0;
    payload.writeUInt32LE(serial);
    client.on('message', (data) => {
      if (data.readUInt32LE() !== serial) throw new Error('an echo is lost or out of order');
      messages++;
      payload.writeUInt32LE(++serial);
      client.send(payload);
    });
    client.send(payload);
  }
  await new Promise((resolve) => setTimeout(resolve, WARMUP));
  const [from, start] = [cpu(), process.hrtime.bigint()];
  messages = 0;
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const elapsed = Number(process.hrtime.bigint() - start) / 1e9;
  const to = cpu();
  const result = {
    perSecond: messages / elapsed,
    mainMicros: (to.main - from.main) / messages / 1000,
    allMicros: (to.all - from.all) / messages / 1000,
    residentEach: resident
  };
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
}

main();
