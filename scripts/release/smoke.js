// Shows that a binary works where it is: `node smoke.js [MODULE]`.
//
// Needs nothing but Node and the package, so that it can be copied into any system.
// Server and client, both payload kinds, compression, a large message, the stream
// transport, close codes, and all of it again in worker threads that come and go.
// Ends by itself; the exit code is the result.

'use strict';

const { once } = require('events');
const path = require('path');
const { Worker, isMainThread, workerData } = require('worker_threads');
const http = require('http');
const { randomBytes } = require('crypto');

const asked = process.argv[2] || 'ferrows';
// A path is relative to where the command is given, not to this file.
const MODULE = workerData || (/^\.{0,2}[\\/]/.test(asked) ? path.resolve(asked) : asked);
const WebSocket = require(MODULE);

const THREADS = 4;
const LARGE = 3 << 20;

function check(holds, what) {
  if (!holds) throw new Error(`smoke test: ${what}`);
}

function echoing(server) {
  server.on('connection', (websocket) => {
    websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
  });
  return server;
}

async function echo(client, data) {
  client.send(data);
  const [answer, isBinary] = await once(client, 'message');
  check(isBinary === (typeof data !== 'string'), 'the kind of a message changed');
  check(answer.equals(Buffer.from(data)), `a message of ${data.length} came back changed`);
}

async function exchange(client) {
  await once(client, 'open');
  await echo(client, 'ferrows');
  await echo(client, 'ü'.repeat(5000));
  await echo(client, Buffer.alloc(0));
  await echo(client, randomBytes(LARGE));
  await echo(client, Buffer.alloc(LARGE, 'compressible '));
  client.ping('are you there');
  const [payload] = await once(client, 'pong');
  check(String(payload) === 'are you there', 'a pong differs');
  client.close(4000, 'done');
  const [code, reason] = await once(client, 'close');
  check(code === 4000 && String(reason) === 'done', 'the close code differs');
}

/** A server that listens by itself: all of it on the native side. */
async function onOwnPort(perMessageDeflate) {
  const server = echoing(new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate }));
  await once(server, 'listening');
  const client = new WebSocket(`ws://127.0.0.1:${server.address().port}`, { perMessageDeflate });
  await exchange(client);
  check((client.extensions !== '') === Boolean(perMessageDeflate), 'extensions differ');
  server.close();
  await once(server, 'close');
}

/** A server behind Node's, with a client that masks by itself: the stream transport. */
async function onHttpServer() {
  const httpServer = http.createServer();
  const server = echoing(new WebSocket.Server({ server: httpServer }));
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const generateMask = (mask) => randomBytes(4).copy(mask);
  const url = `ws://127.0.0.1:${httpServer.address().port}`;
  await exchange(new WebSocket(url, { generateMask }));
  server.close();
  httpServer.close();
  await once(httpServer, 'close');
}

async function inThreads() {
  // The first ones end before the last start.
  for (let left = 2; left > 0; left--) {
    const workers = Array.from({ length: THREADS }, () => {
      return new Worker(__filename, { workerData: MODULE });
    });
    const codes = await Promise.all(workers.map(async (worker) => (await once(worker, 'exit'))[0]));
    check(
      codes.every((code) => code === 0),
      `worker threads ended with ${codes}`
    );
  }
}

async function main() {
  await onOwnPort(false);
  await onOwnPort({ threshold: 0, serverNoContextTakeover: true });
  await onOwnPort(true);
  await onHttpServer();
  if (!isMainThread) return;
  await inThreads();
  const { arch, platform, version } = process;
  console.log(`smoke test passed: ${platform} ${arch}, Node.js ${version}`);
}

main().catch((error) => {
  // In a worker thread as well: its exit code tells.
  console.error(error);
  process.exit(1);
});
