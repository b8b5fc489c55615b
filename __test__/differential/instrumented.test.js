// Programs that put something of their own into the way: patched methods, watched
// sockets, answers to peers that are gone, processes without descriptors.

'use strict';

const http = require('http');
const net = require('net');
const { execFile } = require('child_process');
const { once } = require('events');
const { promisify } = require('util');

const { libraries } = require('../support/libraries');
const { run } = require('../support/children');

/** Declares a test that runs a script with each library and compares what it returns. */
function same(title, script) {
  test(title, async () => {
    const results = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      results[name] = await script(WebSocket);
    }
    expect(results.ferrows).toEqual(results.ws);
  });
}

const urlOf = (server) => `ws://127.0.0.1:${server.address().port}`;

same.each = (titles, script) => {
  for (const title of titles) same(title, (WebSocket) => script(WebSocket, title));
};

same.each(['handleUpgrade', 'completeUpgrade'], async (WebSocket, method) => {
  const { prototype } = WebSocket.Server;
  const original = prototype[method];
  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
  await once(wss, 'listening');
  const calls = [];
  prototype[method] = function (...args) {
    calls.push(args.map((arg) => (Buffer.isBuffer(arg) ? arg.length : typeof arg)));
    return original.apply(this, args);
  };
  try {
    const client = new WebSocket(urlOf(wss));
    await once(client, 'open');
    client.terminate();
  } finally {
    prototype[method] = original;
    wss.close();
  }
  return calls;
});

same.each(['write', '_write', 'emit'], async (WebSocket, method) => {
  const server = http.createServer();
  const wss = new WebSocket.Server({ noServer: true });
  let calls = 0;
  server.on('upgrade', (request, socket, head) => {
    const original = socket[method];
    if (method === '_write') socket._writev = undefined;
    socket[method] = function (...args) {
      calls++;
      return original.apply(this, args);
    };
    wss.handleUpgrade(request, socket, head, (websocket) => {
      websocket.on('message', (data) => websocket.send(data));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new WebSocket(urlOf(server));
  await once(client, 'open');
  const before = calls;
  client.send('x');
  await once(client, 'message');
  const result = [before > 0 || method === 'emit', calls > before];
  client.terminate();
  server.close();
  return result;
});

same.each(['port', 'server'], async (WebSocket, mode) => {
  const server = mode === 'server' ? http.createServer().listen(0, '127.0.0.1') : null;
  const wss = new WebSocket.Server(server ? { server } : { port: 0, host: '127.0.0.1' });
  await once(server || wss, 'listening');
  const errors = [];
  const answered = new Promise((resolve) => {
    wss.on('wsClientError', (error, socket) => {
      // The peer is gone before the answer is written.
      const timer = setInterval(() => {
        if (!peer.destroyed) return;
        clearInterval(timer);
        socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
        errors.push(error.message);
        setImmediate(resolve);
      }, 1);
    });
  });
  const peer = net.connect(wss.address().port, '127.0.0.1');
  peer.on('error', () => {});
  peer.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await once(peer, 'connect');
  setImmediate(() => peer.resetAndDestroy());
  await answered;
  if (server) server.close();
  wss.close();
  return errors;
});

same.each(
  [
    'ws://x:%@127.0.0.1:1/',
    'ws://%E0%A4%A@127.0.0.1:1/',
    'ws://127.0.0.1:99999/',
    'ftp://a/',
    'ws:'
  ],
  async (WebSocket, target) => {
    const server = http.createServer();
    server.on('upgrade', (request, socket) => {
      socket.end(`HTTP/1.1 302 Found\r\nLocation: ${target}\r\n\r\n`);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const events = [];
    const client = new WebSocket(urlOf(server), { followRedirects: true });
    client.on('error', (error) => events.push(['error', error.name, error.code]));
    const code = await new Promise((resolve) => client.on('close', resolve));
    server.close();
    return [...events, code];
  }
);

test.each(['ws', 'ferrows'])(
  '%s: without descriptors connections fail and others work',
  async (name) => {
    if (process.platform !== 'linux') return;
    const script = `
    const Library = ${name === 'ws' ? "require('ws')" : 'WebSocket'};
    const { execFileSync } = require('child_process');
    const fs = require('fs');
    const http = require('http');
    const { once } = require('events');
    const server = http.createServer();
    const wss = new Library.Server({ server });
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    const connect = () => new Promise((resolve) => {
      const ws = new Library('ws://127.0.0.1:' + server.address().port);
      ws.on('open', () => resolve(ws));
      ws.on('error', () => resolve(null));
    });
    server.listen(0, '127.0.0.1', async () => {
      const first = await connect();
      execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64']);
      const many = await Promise.all(Array.from({ length: 40 }, connect));
      const failed = many.filter((ws) => ws === null).length;
      for (const ws of [first, ...many]) if (ws !== null) ws.terminate();
      while (fs.readdirSync('/proc/self/fd').length > 40) await new Promise((r) => setTimeout(r, 5));
      const last = await connect();
      last.send('works');
      const [data] = await once(last, 'message');
      console.log(failed > 0, String(data));
      process.exit();
    });`;
    const { code, out, err } = await run(script).ended;
    expect({ code, out, err }).toEqual({ code: 0, out: 'true works\n', err: '' });
  }
);

// Before the library is loaded, as tracers do that are required first.
test.each([
  ['http', 'createServer'],
  ['net', 'Server.prototype.listen'],
  ['http', 'Server.prototype.emit'],
  ['events', 'prototype.emit']
])('a method that was replaced early: %s %s', async (module, path) => {
  const program = `
    const names = ${JSON.stringify(path)}.split('.');
    const name = names.pop();
    const owner = names.reduce((object, key) => object[key], require('${module}'));
    const { [name]: original } = owner;
    const calls = new Set();
    owner[name] = function (...args) {
      const isServer = this instanceof require('http').Server;
      if (name !== 'emit') calls.add(name);
      else if (isServer) calls.add(args[0]);
      return original.apply(this, args);
    };
    const { Server } = require(process.argv[1]);
    const wss = new Server({ port: 0, host: '127.0.0.1' }, () => {
      const { port } = wss.address();
      const socket = require('net').connect(port, '127.0.0.1');
      socket.write('GET / HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
        'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n');
    });
    wss.on('connection', () => {
      console.log([...calls].sort().join());
      process.exit();
    });`;
  const results = {};
  for (const name of ['ws', 'ferrows']) {
    const root = name === 'ws' ? require.resolve('ws') : require.resolve('../..');
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', program, root]);
    results[name] = stdout;
  }
  expect(results.ws).toMatch(/\w/);
  expect(results.ferrows).toBe(results.ws);
});
