// The nginx configurations of the documentation, in front of a server of ours.
//
// CONFIGURATIONS[name](block) runs nginx with it. Used by blocks.test.js.

'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');
const os = require('os');
const path = require('path');
const { once } = require('events');
const { spawn } = require('child_process');

const WebSocket = require('../..');
const { make } = require('../support/certificate');
const { freePort } = require('../support/ports');

const PROGRAM =
  process.env.NGINX_PATH ||
  ['/usr/sbin/nginx', '/usr/bin/nginx'].find((file) => fs.existsSync(file));

async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** Runs nginx with what stands within http { }; `use` gets the port that it listens on. */
async function serve(code, use) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-nginx-'));
  const { key, cert } = make();
  fs.writeFileSync(path.join(folder, 'key.pem'), key);
  fs.writeFileSync(path.join(folder, 'cert.pem'), cert);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder};`)
    .join(' ');
  fs.writeFileSync(
    path.join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
    events {}
    http { access_log off; ${temporary}\n${code}}`
  );
  const outside = Number(/listen 127\.0\.0\.1:(\d+)/.exec(code)[1]);
  const args = ['-p', folder, '-c', path.join(folder, 'nginx.conf'), '-e', `${folder}/error.log`];
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let complaints = '';
  child.stderr.on('data', (data) => (complaints += data));
  const ended = once(child, 'close');
  try {
    for (let ready = false; !ready;) {
      const socket = net.connect(outside, '127.0.0.1');
      ready = await once(socket, 'connect').then(
        () => true,
        () => false
      );
      socket.destroy();
      if (child.exitCode !== null) throw new Error(`nginx has ended: ${complaints}`);
      if (!ready) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await use(outside, cert);
  } finally {
    child.kill('SIGKILL');
    await ended;
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Ports and files of this machine for those in the block. */
async function localised(code, upstream) {
  const outside = await freePort();
  return code
    .replace(/listen 443 ssl/g, `listen 127.0.0.1:${outside} ssl`)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${upstream}`)
    .replaceAll('/etc/ssl/', '');
}

const CONFIGURATIONS = {
  async nginx({ code }) {
    const server = http.createServer((request, response) => response.end('plain HTTP'));
    const wss = new WebSocket.Server({ server });
    wss.on('connection', (ws, request) => {
      ws.send(request.headers['x-forwarded-for']);
      ws.on('message', (data) => ws.send(data));
    });
    const upstream = await listen(server);
    await serve(await localised(code, upstream), async (port, ca) => {
      const client = new WebSocket(`wss://localhost:${port}`, { ca, family: 4 });
      const [address] = await once(client, 'message');
      expect(address.toString()).toBe('127.0.0.1');
      client.send(Buffer.alloc(100_000, 'x'));
      const [large] = await once(client, 'message');
      expect(large).toHaveLength(100_000);
      client.close(4000);
      expect((await once(client, 'close'))[0]).toBe(4000);
      // What is no upgrade passes, too.
      const [response] = await once(
        https.get({ port, ca, host: 'localhost', family: 4 }),
        'response'
      );
      expect(response.statusCode).toBe(200);
      response.resume();
      await once(response, 'end');
    });
    for (const ws of wss.clients) ws.terminate();
    await new Promise((resolve) => server.close(resolve));
  }
};

module.exports = { CONFIGURATIONS, PROGRAM };
