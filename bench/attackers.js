// npm run bench:attackers: what 2000 slow attackers do to a healthy connection.
//
// Half of them send the head of a request a byte at a time, half a message that
// announces 1 MiB. The echo of one healthy connection is measured before and
// meanwhile, interleaved, and medians are printed. Loopback only; ends by itself.

'use strict';

const net = require('net');
const path = require('path');
const { spawn, spawnSync } = require('child_process');
const { once } = require('events');
const { readFileSync } = require('fs');

const SERVER = path.join(__dirname, 'programs', 'server.js');
const LOADGEN = path.join(__dirname, '..', 'target', 'release', 'ferrows-loadgen');
const ATTACKERS = 2000;
const ROUNDS = 5;
const PAUSE = 1000;
const SETTLE = 3000;
const HEAD =
  'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
// 1 MiB, masked with zeros.
const BEGINNING = Buffer.from('82ff000000000010000000000000', 'hex');

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function resident(pid) {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(kib) / 1024;
}

function measure(port, pid) {
  const args = ['echo', '--port', port, '--pid', pid, '--connections', 1, '--seconds', 1.5];
  const { status, stdout, stderr } = spawnSync(LOADGEN, args.map(String), { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** Attackers in a process of their own: `node attackers.js attack PORT`. */
function attack(port) {
  const sockets = Array.from({ length: ATTACKERS }, (_, index) => {
    const localAddress = `127.0.0.${2 + (index % 8)}`;
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    socket.on('error', () => {});
    if (index % 2 === 0) {
      socket.write('GET / HTTP/1.1\r\nX: ');
    } else {
      socket.write(`${HEAD}\r\n`);
      socket.once('data', () => socket.write(BEGINNING));
    }
    return socket;
  });
  setInterval(() => {
    for (const socket of sockets) if (socket.writable) socket.write('x');
  }, PAUSE);
  setTimeout(() => console.log('ready'), SETTLE);
  process.stdin.on('end', () => process.exit()).resume();
}

async function main() {
  const server = spawn(process.execPath, [SERVER, 'ferrows'], {
    stdio: ['pipe', 'pipe', 'inherit']
  });
  const [line] = await once(server.stdout, 'data');
  const port = Number(line);
  const calm = [];
  const attacked = [];
  const before = resident(server.pid);
  let held = 0;
  for (let round = 0; round < ROUNDS; round++) {
    calm.push(measure(port, server.pid));
    const attackers = spawn(process.execPath, [__filename, 'attack', port], {
      stdio: ['pipe', 'pipe', 'inherit']
    });
    await once(attackers.stdout, 'data');
    attacked.push(measure(port, server.pid));
    held = resident(server.pid);
    attackers.stdin.end();
    await once(attackers, 'close');
    await sleep(PAUSE);
  }
  server.stdin.end();
  const of = (runs, name) => median(runs.map((run) => run[name]));
  const ratio = of(attacked, 'perSecond') / of(calm, 'perSecond');
  for (const [name, runs] of Object.entries({ calm, attacked })) {
    const [rate, p50, p99] = ['perSecond', 'p50', 'p99'].map((field) => of(runs, field));
    console.log(`${name.padEnd(9)} ${rate.toFixed(0)} /s, p50 ${p50} us, p99 ${p99} us`);
  }
  console.log(`throughput ${ratio.toFixed(2)}x; ${ATTACKERS} attackers, ${ROUNDS} rounds`);
  console.log(`memory ${before.toFixed(0)} MiB before, ${held.toFixed(0)} MiB under attack`);
}

if (process.argv[2] === 'attack') attack(Number(process.argv[3]));
else main();
