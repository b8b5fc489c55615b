// Between client and server: an HTTP CONNECT proxy, nginx terminating TLS.

'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');
const os = require('os');
const path = require('path');
const { spawn } = require('child_process');
const { once } = require('events');
const { HttpsProxyAgent } = require('https-proxy-agent');

const { libraries } = require('../support/libraries');
const { make } = require('../support/certificate');
const { freePort } = require('../support/ports');

const credentials = make();
const { ws, ferrows } = libraries;
const pairs = {
  'ferrows alone': [ferrows, ferrows],
  'our client and a ws server': [ws, ferrows],
  'a ws client and our server': [ferrows, ws]
};

/** Echoes; resolves with what came back, when all is closed again. */
async function echo(client, url, options) {
  const websocket = new client(url, options);
  await once(websocket, 'open');
  const large = Buffer.alloc(200000, 'x');
  const messages = [];
  const both = new Promise((resolve) => {
    websocket.on('message', (data) => messages.push(data) === 2 && resolve());
  });
  websocket.send('text');
  websocket.send(large);
  await both;
  const [text, bytes] = messages;
  expect(bytes.equals(large)).toBe(true);
  const closed = once(websocket, 'close');
  websocket.close(4000);
  return [text.toString(), (await closed)[0]];
}

function listen(server) {
  server.listen(0, '127.0.0.1');
  return once(server, 'listening').then(() => server.address().port);
}

function echoing(WebSocket, server) {
  const wss = new WebSocket.Server({ server });
  wss.on('connection', (websocket) => {
    websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
  });
  return wss;
}

describe.each(Object.entries(pairs))('%s', (name, [serverClass, clientClass]) => {
  test.each(['ws', 'wss'])('%s: through a CONNECT proxy', async (scheme) => {
    const server = scheme === 'ws' ? http.createServer() : https.createServer(credentials);
    echoing(serverClass, server);
    const port = await listen(server);
    const proxy = http.createServer();
    const asked = [];
    proxy.on('connect', (request, socket, head) => {
      asked.push(request.url);
      const [, target] = request.url.split(':');
      const onward = net.connect(target, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        onward.write(head);
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [socket, onward]) end.on('error', () => {});
      onward.on('close', () => socket.destroy());
    });
    const agent = new HttpsProxyAgent(`http://127.0.0.1:${await listen(proxy)}`);
    const url = `${scheme}://localhost:${port}`;
    const options = { agent, ca: credentials.cert };
    expect(await echo(clientClass, url, options)).toEqual(['text', 4000]);
    expect(asked).toEqual([`localhost:${port}`]);
    await Promise.all([server, proxy].map((end) => new Promise((resolve) => end.close(resolve))));
  });
});

const nginx =
  process.env.NGINX_PATH ||
  ['/usr/sbin/nginx', '/usr/bin/nginx'].find((file) => fs.existsSync(file));

(nginx ? describe : describe.skip)(`nginx${nginx ? '' : ' (skipped: it is not installed)'}`, () => {
  test.each(['port', 'server'])('terminates TLS in front of a server with { %s }', async (mode) => {
    const server = mode === 'port' ? null : http.createServer();
    const wss =
      mode === 'port'
        ? new ferrows.Server({ port: 0, host: '127.0.0.1' })
        : echoing(ferrows, server);
    if (server === null) {
      wss.on('connection', (websocket) => {
        websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
      });
      await once(wss, 'listening');
    } else {
      await listen(server);
    }
    const { port } = wss.address();
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-nginx-'));
    const outside = await freePort();
    fs.writeFileSync(path.join(directory, 'cert.pem'), credentials.cert);
    fs.writeFileSync(path.join(directory, 'key.pem'), credentials.key);
    fs.writeFileSync(
      path.join(directory, 'nginx.conf'),
      `daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/error.log;
      events {}
      http {
        access_log off;
        client_body_temp_path ${directory}; proxy_temp_path ${directory};
        fastcgi_temp_path ${directory}; uwsgi_temp_path ${directory}; scgi_temp_path ${directory};
        server {
          listen 127.0.0.1:${outside} ssl;
          ssl_certificate ${directory}/cert.pem; ssl_certificate_key ${directory}/key.pem;
          location / {
            proxy_pass http://127.0.0.1:${port};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
          }
        }
      }`
    );
    const child = spawn(nginx, ['-p', directory, '-c', path.join(directory, 'nginx.conf')], {
      stdio: 'ignore'
    });
    try {
      for (let ready = false; !ready;) {
        const socket = net.connect(outside, '127.0.0.1');
        ready = await once(socket, 'connect').then(
          () => true,
          () => false
        );
        socket.destroy();
        if (child.exitCode !== null) throw new Error(`nginx has ended with ${child.exitCode}`);
        if (!ready) await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const options = { ca: credentials.cert };
      for (const client of [ws, ferrows]) {
        const url = `wss://localhost:${outside}`;
        expect(await echo(client, url, { ...options, family: 4 })).toEqual(['text', 4000]);
      }
    } finally {
      if (child.exitCode === null) {
        child.kill('SIGQUIT');
        await once(child, 'exit');
      }
      fs.rmSync(directory, { recursive: true });
    }
    await new Promise((resolve) => wss.close(resolve));
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  });
});
