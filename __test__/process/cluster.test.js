// Several processes and several threads with servers.

'use strict';

const { once } = require('events');

const WebSocket = require('../..');
const { ROOT, run } = require('../support/children');

const root = JSON.stringify(ROOT);

/** Reads lines of a program's output as they come. */
async function* lines(stream) {
  let rest = '';
  for await (const chunk of stream) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop();
    yield* parts;
  }
}

async function greeting(port) {
  const websocket = new WebSocket(`ws://127.0.0.1:${port}`);
  const [data] = await once(websocket, 'message');
  websocket.send('echo');
  const [echo] = await once(websocket, 'message');
  websocket.close();
  await once(websocket, 'close');
  expect(echo.toString()).toBe('echo');
  return data.toString();
}

test('four cluster workers share the port of one server', async () => {
  const { child, ended } = run(`
    const cluster = require('cluster');
    const exec = require('path').join(${root}, '__test__', 'support', 'cluster-worker.js');
    cluster.setupPrimary({ exec, execArgv: [] });
    for (let i = 0; i < 4; i++) cluster.fork();
    const ports = [];
    cluster.on('message', (worker, port) => {
      if (ports.push(port) === 4) console.log(new Set(ports).size + ' ' + port);
    });
    process.stdin.on('end', () => {
      cluster.disconnect(() => process.exit());
    }).resume();`);
  const [different, port] = (await lines(child.stdout).next()).value.split(' ').map(Number);
  expect(different).toBe(1);
  const pids = [];
  for (let i = 0; i < 16; i++) pids.push(await greeting(port));
  expect(new Set(pids).size).toBe(4);
  child.stdin.end();
  expect(await ended).toMatchObject({ code: 0, err: '' });
});

test('servers in several threads of one process', async () => {
  const { child, ended } = run(`
    const { Worker } = require('worker_threads');
    const source = \`
      const { parentPort, threadId } = require('worker_threads');
      const WebSocket = require(${root});
      const wss = new WebSocket.Server({ port: 0 }, () => parentPort.postMessage(wss.address().port));
      wss.on('connection', (ws) => {
        ws.send(String(threadId));
        ws.on('message', (data) => ws.send(String(data)));
        ws.on('close', () => wss.close());
      });\`;
    const workers = [1, 2, 3].map(() => new Worker(source, { eval: true }));
    const ports = [];
    for (const worker of workers) {
      worker.on('message', (port) => {
        if (ports.push(port) === workers.length) console.log(ports.join());
      });
    }`);
  const ports = (await lines(child.stdout).next()).value.split(',');
  const threads = await Promise.all(ports.map(greeting));
  expect(new Set(threads).size).toBe(3);
  // Each server closed after its connection; then the threads end, and with them the process.
  expect(await ended).toMatchObject({ code: 0, err: '' });
});

test('a GiB through createWebSocketStream() in bounded memory', async () => {
  const { ended } = run(`
    const { Readable, Writable, pipeline } = require('stream');
    const TOTAL = 1024;
    const MEBIBYTE = Buffer.alloc(1 << 20, 'x');
    const wss = new WebSocket.Server({ port: 0 }, () => {
      let most = 0;
      let count = 0;
      let before = 0;
      wss.on('connection', (ws) => {
        const slow = new Writable({
          write(chunk, encoding, callback) {
            count += chunk.length;
            // After the first part buffers have their size.
            const { rss } = process.memoryUsage();
            if (count < 32 << 20) before = rss;
            most = Math.max(most, rss - before);
            setImmediate(callback);
          }
        });
        pipeline(WebSocket.createWebSocketStream(ws), slow, (error) => {
          // A quarter of what goes through.
          const bounded = most < 256 << 20;
          console.log(error || 'complete', count === TOTAL << 20, bounded || most >> 20);
          wss.close();
        });
      });
      let left = TOTAL;
      const source = new Readable({
        read() {
          this.push(left-- > 0 ? MEBIBYTE : null);
        }
      });
      const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      const duplex = WebSocket.createWebSocketStream(client);
      source.pipe(duplex);
      duplex.resume();
    });`);
  const { code, out, err } = await ended;
  expect({ code, out, err }).toEqual({ code: 0, out: 'complete true true\n', err: '' });
});
