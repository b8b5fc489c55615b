// What is measured of the backbone, and what is aimed at. Each scenario measures one column once,
// beside fresh engines and processes; `cleanups` gets what ends them. Called by index.js.

'use strict';

const load = require('../load');
const { spawn } = require('child_process');
const { once } = require('events');
const { CountingProxy, Server } = require('./parts');
const { Engine } = require('../../__test__/support/engines');

const SUBSCRIBERS = 1000;
const TOPICS = 10000;
const WANTED = 10;
const RATE = 10000;
const OUTAGE = 5;
const PUBLISHERS = 100;
const MARK = 'one of ten thousand';
const PAYLOAD = MARK.padEnd(64, '.');
// How long what is under way after the last message may take, and how long an engine may be away.
const SETTLE = 1500;
const RETURN_LIMIT = 20000;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function startEngine(column, cleanups) {
  const engine = new Engine(column.engine);
  cleanups.push(() => engine.remove());
  return engine.start();
}

async function startServer(column, url, mode, cleanups) {
  const server = await Server.start(column, url, column.folder, mode);
  cleanups.push(() => server.stop());
  return server;
}

/** The load generator, beside what this process has to do meanwhile. */
async function loaded(column, args, cleanups) {
  const all = column.library === 'ferrows' ? args : [...args, '--socketio', '1'];
  const child = spawn(load.LOADGEN, all.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanups.push(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error('the load generator failed');
  return JSON.parse(output);
}

const scenarios = [
  {
    name: `backbone: two processes, ${SUBSCRIBERS} subscribers each, 64 B`,
    columns: {
      perSecond: 'deliveries/s',
      mainShare: 'JS thread %',
      allShare: 'receiver %'
    },
    aims: {
      perSecond: { least: 300000, ratio: 5 },
      mainShare: { most: 5 }
    },
    async measure(column, { seconds, warmup }, cleanups) {
      const { url } = await startEngine(column, cleanups);
      const publisher = await startServer(column, url, 'all', cleanups);
      const receiver = await startServer(column, url, 'all', cleanups);
      const args = ['fanout', '--port', publisher.port, '--peer', receiver.port];
      args.push('--pid', receiver.pid, '--connections', 2 * SUBSCRIBERS, '--size', 64);
      args.push('--inflight', column.inflight, '--seconds', seconds, '--warmup', warmup);
      const { perSecond, mainMicros, allMicros } = await loaded(column, args, cleanups);
      const share = (micros) => (micros * perSecond) / 1e4;
      return { perSecond, mainShare: share(mainMicros), allShare: share(allMicros) };
    }
  },
  {
    name: `backbone: ${TOPICS} topics, of which the process wants ${WANTED}`,
    columns: {
      received: 'messages received',
      delivered: 'delivered',
      kibibytes: 'KiB from engine'
    },
    aims: { received: { most: WANTED } },
    async measure(column, options, cleanups) {
      const engine = await startEngine(column, cleanups);
      const proxy = await new CountingProxy(engine.port, MARK).start();
      cleanups.push(() => proxy.stop());
      const publisher = await startServer(column, engine.url, 'all', cleanups);
      const behind = `${column.engine}://127.0.0.1:${proxy.port}`;
      const receiver = await startServer(column, behind, 'all', cleanups);
      const client = await receiver.client(0, WANTED - 1);
      cleanups.push(() => client.ws.terminate());
      const before = proxy.bytes;
      await publisher.ask('publish', { topics: TOPICS, data: PAYLOAD });
      await sleep(SETTLE);
      const kibibytes = (proxy.bytes - before) / 1024;
      return { received: proxy.messages, delivered: client.count, kibibytes };
    }
  },
  {
    name: `backbone: engine killed for ${OUTAGE} s under ${RATE} publishes/s`,
    columns: {
      p99Before: 'p99 us before',
      p99During: 'p99 us during',
      ratio: 'ratio',
      above: 'MiB above',
      missing: 'missing elsewhere',
      dropped: 'dropped',
      fewest: 'gaps a topic',
      most: 'at most'
    },
    aims: {
      ratio: { most: 2 },
      above: { most: 2 * 16 },
      fewest: { least: 1 },
      most: { most: 1 }
    },
    async measure(column, options, cleanups) {
      const engine = await startEngine(column, cleanups);
      const publisher = await startServer(column, engine.url, 'own', cleanups);
      const receiver = await startServer(column, engine.url, 'own', cleanups);
      const client = await receiver.client(0, PUBLISHERS - 1);
      cleanups.push(() => client.ws.terminate());
      let sent = 0;
      const publishing = async (seconds) => {
        const args = ['paced', '--port', publisher.port, '--connections', PUBLISHERS];
        args.push('--rate', RATE, '--seconds', seconds, '--warmup', 1);
        const result = await loaded(column, args, cleanups);
        sent += result.perSecond * seconds + RATE;
        return result;
      };
      await publishing(1);
      const before = await publishing(OUTAGE - 1);
      publisher.forgetPeak();
      const resident = publisher.memory('VmRSS');
      await engine.kill();
      const during = await publishing(OUTAGE - 1);
      const above = publisher.memory('VmHWM') - resident;
      await engine.start();
      await publishing(OUTAGE);
      const deadline = Date.now() + RETURN_LIMIT;
      for (let last = -1; last !== client.count && Date.now() < deadline;) {
        last = client.count;
        await sleep(SETTLE);
      }
      const gaps = await receiver.ask('gaps');
      return {
        p99Before: before.p99,
        p99During: during.p99,
        ratio: during.p99 / before.p99,
        above,
        missing: Math.max(0, Math.round(sent - client.count)),
        dropped: await publisher.ask('dropped'),
        fewest: gaps.length < PUBLISHERS ? 0 : Math.min(...gaps),
        most: Math.max(0, ...gaps)
      };
    }
  }
];

module.exports = { scenarios };
