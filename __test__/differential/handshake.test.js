'use strict';

const http = require('http');
const { once } = require('events');

const { compare } = require('./run');
const { RawPeer, request } = require('../support/raw-peer');

/** Sends a request and notes the whole answer, without what Node alone decides. */
function answer(title, options, serverOptions, setUp = () => {}) {
  compare(
    title,
    async ({ wss, port, mode, trace }) => {
      setUp(wss, trace);
      wss.on('connection', (websocket, { url, headers }) => {
        trace.push(`connection ${url} ${headers.host} ${websocket.protocol} ${wss.clients.size}`);
        websocket.terminate();
      });
      const peer = await RawPeer.connect(port, request(options));
      const head = await peer.headers();
      trace.push(head === null ? 'nothing' : head.replace(/^Date: .*\r\n/m, ''));
      if (head !== null && !head.startsWith('HTTP/1.1 101')) trace.push(await peer.body());
      peer.socket.destroy();
      // Only in port mode does anybody answer plain requests here.
      trace.push(mode);
    },
    serverOptions
  );
}

const header = (name, value) => ({ headers: { [name]: value } });

answer('a good request');
answer('a path with a query', { path: '/a?b=c' });
answer('version 8', header('Sec-WebSocket-Version', '8'));
answer('version 0xd', header('Sec-WebSocket-Version', '0xd'));
answer('another method', { method: 'POST' });
answer('another upgrade', header('Upgrade', 'h2c'));
answer('mixed case', header('Upgrade', 'WebSocket'));
answer('no key', header('Sec-WebSocket-Key', null));
answer('a short key', header('Sec-WebSocket-Key', 'abc'));
answer('a key that only looks right', header('Sec-WebSocket-Key', `${'A'.repeat(22)}==`));
answer('no version', header('Sec-WebSocket-Version', null));
answer('version 12', header('Sec-WebSocket-Version', '12'));
answer('the wrong path', { path: '/b' }, { path: '/a' });
answer('the right path with a query', { path: '/a?x' }, { path: '/a' });
answer('protocols', header('Sec-WebSocket-Protocol', 'one, two'));
answer('a repeated protocol', header('Sec-WebSocket-Protocol', 'one, one'));
answer('an empty protocol', header('Sec-WebSocket-Protocol', 'one,,two'));
answer('handleProtocols', header('Sec-WebSocket-Protocol', 'one, two'), {
  handleProtocols: (protocols, { url }) => `${[...protocols].pop()}${url.length}`
});
answer('handleProtocols says no', header('Sec-WebSocket-Protocol', 'one'), {
  handleProtocols: () => false
});
answer('extensions without permessage-deflate', header('Sec-WebSocket-Extensions', ';;;'));
answer('verifyClient says yes', header('Origin', 'http://x'), {
  verifyClient: ({ origin, secure, req }) => origin === 'http://x' && !secure && req.url === '/'
});
answer('verifyClient says no', {}, { verifyClient: () => false });
answer(
  'verifyClient says no later',
  {},
  {
    verifyClient: (info, callback) => setImmediate(callback, false, 403, 'go away', { 'X-A': 'b' })
  }
);
answer(
  'verifyClient says yes later',
  {},
  {
    verifyClient: (info, callback) => setImmediate(callback, true)
  }
);
answer('headers are added', {}, {}, (wss) => {
  wss.on('headers', (lines, { url }) => lines.push(`Set-Cookie: a=b${url}`));
});
answer('wsClientError answers', { method: 'PUT' }, {}, (wss, trace) => {
  wss.on('wsClientError', (error, socket, { method }) => {
    trace.push(`${error.message} ${method} ${socket.writable}`);
    socket.end('HTTP/1.1 418 Teapot\r\nConnection: close\r\n\r\n');
  });
});
answer('shouldHandle replaced', { path: '/no' }, {}, (wss) => {
  wss.shouldHandle = ({ url }) => url !== '/no';
});

const inPortMode = (title, bytes) => {
  compare(title, async ({ port, mode, trace }) => {
    trace.push(mode);
    if (mode !== 'port') return;
    const peer = await RawPeer.connect(port, bytes);
    const head = await peer.headers();
    trace.push(head === null ? 'nothing' : head.replace(/^Date: .*\r\n/m, ''));
    peer.socket.end();
    trace.push(await peer.body());
  });
};

inPortMode('a plain request', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
inPortMode('a plain request that keeps the connection', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n');
inPortMode('HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n');
inPortMode('HEAD', 'HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
inPortMode('upgrade without Connection', request({ headers: { Connection: 'close' } }));
inPortMode('no HTTP at all', '\x16\x03\x01\x02\x00\x01');
inPortMode('a malformed head', 'GET / HTTP/1.1\r\nbad header\r\n\r\n');
inPortMode('a head that is too long', `GET / HTTP/1.1\r\nA: ${'a'.repeat(17000)}\r\n\r\n`);

compare('close() of the server in every state', async ({ WebSocket, wss, port, trace }) => {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  const [websocket] = await connected;
  wss.on('close', () => trace.push('close event'));
  wss.close((error) => trace.push(`first ${error}`));
  wss.close((error) => trace.push(`second ${error}`));
  trace.push(wss.clients.size, websocket.readyState === WebSocket.OPEN);
  const closed = once(wss, 'close');
  peer.socket.end();
  await closed;
  const again = new Promise((resolve) => wss.close((error) => resolve(error.message)));
  trace.push(await again);
  trace.push(wss.options.noServer ? 'noServer' : wss.address());
});

compare('options that are refused', async ({ WebSocket, trace }) => {
  const attempts = [undefined, {}, { port: 1, noServer: true }, { server: {}, noServer: true }];
  for (const options of [...attempts, { port: 70000 }, { port: -1 }]) {
    try {
      new WebSocket.Server(options);
      trace.push('made');
    } catch (error) {
      trace.push(`${error.name} ${error.code} ${error.message}`);
    }
  }
});

compare('a port that is taken', async ({ WebSocket, trace }) => {
  const server = http.createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  const wss = new WebSocket.Server({ port });
  const [error] = await once(wss, 'error');
  const { code, errno, syscall, address } = error;
  trace.push(code, errno, syscall, address, error.port === port, error.name);
  trace.push(error.message.replace(port, 'PORT'));
  server.close();
});
