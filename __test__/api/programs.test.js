// The four programs that the library exists for, as in examples/.

'use strict';

const http = require('http');
const { once } = require('events');

const WebSocket = require('../support/library');
const { RawPeer } = require('../support/raw-peer');

let echo;
let url;

beforeAll(async () => {
  echo = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
  echo.on('connection', (ws) => {
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
  await once(echo, 'listening');
  url = `ws://127.0.0.1:${echo.address().port}`;
});

afterAll(() => new Promise((resolve) => echo.close(resolve)));

test('a client as for a browser', async () => {
  const seen = [];
  await new Promise((resolve) => {
    const ws = new WebSocket(url);
    ws.onopen = ({ type, target }) => {
      seen.push(type, target === ws, ws.readyState === WebSocket.OPEN);
      ws.send('hello');
    };
    ws.onmessage = ({ data, type, target }) => {
      seen.push(type, data, target === ws);
      ws.close();
    };
    ws.onclose = ({ code, reason, wasClean, type, target }) => {
      seen.push(type, code, reason, wasClean, target === ws);
      resolve();
    };
  });
  expect(seen).toEqual([
    'open',
    true,
    true,
    'message',
    'hello',
    true,
    'close',
    1005,
    '',
    true,
    true
  ]);
});

test('a client with addEventListener', async () => {
  const seen = [];
  await new Promise((resolve) => {
    const ws = new WebSocket(url);
    ws.addEventListener('open', () => {
      seen.push('open');
      ws.send('hello');
    });
    ws.addEventListener('message', ({ data }) => {
      seen.push(data);
      ws.close(1000, 'bye');
    });
    ws.addEventListener('close', ({ code, reason, wasClean }) => {
      seen.push(code, reason, wasClean);
      resolve();
    });
  });
  expect(seen).toEqual(['open', 'hello', 1000, 'bye', true]);
});

test('a server on a port', async () => {
  const wss = new WebSocket.Server({ port: 0 });
  const received = [];
  wss.on('connection', (ws) => {
    ws.on('message', (message) => received.push(message.toString()));
    ws.send('something');
  });
  await once(wss, 'listening');
  const ws = new WebSocket(`ws://localhost:${wss.address().port}`);
  const [data, isBinary] = await once(ws, 'message');
  expect([data.toString(), isBinary]).toEqual(['something', false]);
  ws.send('one');
  ws.send('two');
  ws.close();
  await once(ws, 'close');
  expect(received).toEqual(['one', 'two']);
  await new Promise((resolve) => wss.close(resolve));
});

test('two servers on one http server, told apart by path', async () => {
  const server = http.createServer((request, response) => response.end('plain'));
  const servers = { '/foo': 'foo', '/bar': 'bar' };
  for (const [path, name] of Object.entries(servers)) {
    const wss = (servers[path] = new WebSocket.Server({ noServer: true }));
    wss.on('connection', (ws, request) => ws.send(`${name} ${request.url}`));
  }
  server.on('upgrade', (request, socket, head) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const wss = servers[pathname];
    if (wss === undefined) {
      socket.destroy();
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();

  const greeting = async (path) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`);
    const [data] = await once(ws, 'message');
    ws.close();
    await once(ws, 'close');
    return data.toString();
  };
  expect(await Promise.all([greeting('/foo'), greeting('/bar'), greeting('/foo?a=b')])).toEqual([
    'foo /foo',
    'bar /bar',
    'foo /foo?a=b'
  ]);

  const refused = await RawPeer.open(port, { path: '/baz' });
  expect(refused.head).toBeNull();
  const client = new WebSocket(`ws://127.0.0.1:${port}/baz`);
  const [error] = await once(client, 'error');
  expect(error).toMatchObject({ code: 'ECONNRESET', message: 'socket hang up' });

  // Plain requests are served beside.
  const [response] = await once(http.get({ port, host: '127.0.0.1', agent: false }), 'response');
  expect(response.statusCode).toBe(200);
  response.resume();
  await once(response, 'end');
  await new Promise((resolve) => server.close(resolve));
});
