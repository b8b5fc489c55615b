// Rooms over two processes and an engine, all on this machine: node examples/rooms redis
//
// Or nats. redis-server or nats-server is to be installed; it is started on a port of its own, and
// ended with the rest by Ctrl+C. What matters is in server.js.

'use strict';

const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { once } = require('events');
const { spawn } = require('child_process');

const SERVERS = 2;
const ENGINES = {
  redis: (port, folder) => {
    const args = ['--bind', '127.0.0.1', '--port', port, '--dir', folder, '--save', ''];
    return ['redis-server', args];
  },
  nats: (port) => ['nats-server', ['--addr', '127.0.0.1', '--port', port]]
};

const children = [];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rooms-'));

function stop(code) {
  for (const child of children) child.kill();
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}

function start(program, args, options) {
  const child = spawn(program, args, options);
  children.push(child);
  child.on('error', (error) => {
    console.error(`${program} cannot be started: ${error.message}`);
    stop(1);
  });
  child.on('exit', () => stop(1));
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return String(port);
}

async function main() {
  const name = process.argv[2] || 'redis';
  if (!Object.prototype.hasOwnProperty.call(ENGINES, name)) {
    console.error('node examples/rooms redis|nats');
    stop(1);
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => stop(0));
  const port = await freePort();
  start(...ENGINES[name](port, folder), { stdio: 'ignore' });
  const base = Number(process.env.PORT || 8080);
  for (let index = 1; index <= SERVERS; index++) {
    // 0 lets the system choose. The engine may come later than the servers.
    const PORT = String(base === 0 ? 0 : base + index);
    const env = { ...process.env, PORT, BACKBONE: `${name}://127.0.0.1:${port}` };
    start(process.execPath, [path.join(__dirname, 'server.js')], { env, stdio: 'inherit' });
  }
}

main();
