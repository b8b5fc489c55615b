'use strict';

const http = require('http');
const net = require('net');
const { once } = require('events');

const WebSocket = require('../support/library');
const { KEY, RawPeer, frame, request } = require('../support/raw-peer');
const { acceptOf } = require('../support/peers');

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

async function listening(options, callback) {
  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', ...options }, callback);
  cleanUp.push(() => stop(wss));
  await once(wss, 'listening');
  return wss;
}

/** An http server whose upgrades `onUpgrade` handles. */
async function httpServer(onUpgrade) {
  const server = http.createServer((req, response) => response.end('plain'));
  if (onUpgrade) server.on('upgrade', onUpgrade);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
  return server;
}

function stop(wss) {
  for (const client of wss.clients || []) client.terminate();
  return new Promise((resolve) => wss.close(() => resolve()));
}

async function connect(wss, options) {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.connect(wss.address().port, request(options));
  cleanUp.push(() => peer.socket.destroy());
  const [websocket, incoming] = await connected;
  return { websocket, incoming, peer };
}

const socketsOf = (server) =>
  new Promise((resolve) => server.getConnections((error, count) => resolve(count)));

const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `Sec-WebSocket-Accept: ${acceptOf(KEY)}\r\n`;

describe('the class', () => {
  test('is exported under its names', () => {
    expect(WebSocket.Server).toBe(WebSocket.WebSocketServer);
    expect(WebSocket.Server.name).toBe('WebSocketServer');
    expect(WebSocket.Server).toHaveLength(2);
    expect(WebSocket.WebSocket).toBe(WebSocket);
    expect(() => WebSocket.Server({ port: 0 })).toThrow(TypeError);
  });

  test('keeps what it was given in options, with defaults', () => {
    const wss = new WebSocket.Server({ noServer: true, perMessageDeflate: false, extra: 1 });
    expect(wss.options).toMatchObject({
      allowSynchronousEvents: true,
      autoPong: true,
      backlog: null,
      clientTracking: true,
      closeTimeout: 30000,
      handleProtocols: null,
      host: null,
      maxBufferedChunks: 262144,
      maxFragments: 16384,
      maxPayload: 104857600,
      maxPendingAutoPongs: 60,
      noServer: true,
      path: null,
      perMessageDeflate: false,
      port: null,
      server: null,
      skipUTF8Validation: false,
      verifyClient: null,
      WebSocket,
      extra: 1
    });
    expect(wss.clients).toBeInstanceOf(Set);
    expect(new WebSocket.Server({ noServer: true, clientTracking: false }).clients).toBeUndefined();
  });

  test.each([
    ['nothing', undefined],
    ['an empty object', {}],
    ['port and noServer', { port: 0, noServer: true }],
    ['port and server', { port: 0, server: {} }],
    ['server and noServer', { server: {}, noServer: true }],
    ['null port', { port: null }]
  ])('refuses %s', (name, options) => {
    expect(() => new WebSocket.Server(options)).toThrow(
      new TypeError(
        'One and only one of the "port", "server", or "noServer" options must be specified'
      )
    );
  });

  test.each([[65536], [-1]])('refuses port %p', (port) => {
    expect(() => new WebSocket.Server({ port })).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_SOCKET_BAD_PORT' })
    );
  });
});

describe('listening', () => {
  test('calls back before the event', async () => {
    const order = [];
    const wss = new WebSocket.Server({ port: 0 }, () => order.push('callback'));
    cleanUp.push(() => stop(wss));
    wss.on('listening', () => order.push('event'));
    await once(wss, 'listening');
    expect(order).toEqual(['callback', 'event']);
  });

  test('address() tells where', async () => {
    const wss = await listening();
    expect(wss.address()).toEqual({
      address: '127.0.0.1',
      family: 'IPv4',
      port: expect.any(Number)
    });
    expect(wss.address().port).toBeGreaterThan(0);
  });

  test('address() throws in noServer mode', () => {
    const wss = new WebSocket.Server({ noServer: true });
    expect(() => wss.address()).toThrow(new Error('The server is operating in "noServer" mode'));
  });

  test('a taken port is an error with the fields of Node', async () => {
    const first = await listening();
    const { port } = first.address();
    const second = new WebSocket.Server({ port, host: '127.0.0.1' });
    const [error] = await once(second, 'error');
    expect(error).toMatchObject({
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: '127.0.0.1',
      port,
      message: `listen EADDRINUSE: address already in use 127.0.0.1:${port}`
    });
    expect(error.errno).toBeLessThan(0);
  });

  test('a port as text', async () => {
    const wss = await listening({ port: '0' });
    expect(wss.address().port).toBeGreaterThan(0);
  });

  test('an attached server relays its events', async () => {
    const server = http.createServer();
    const wss = new WebSocket.Server({ server });
    const seen = [];
    wss.on('error', (error) => seen.push(error));
    const error = new Error('of the server');
    server.emit('error', error);
    expect(seen).toEqual([error]);
    server.listen(0, '127.0.0.1');
    await once(wss, 'listening');
    expect(wss.address()).toEqual(server.address());
    await stop(wss);
    expect(server.listening).toBe(true);
    expect(server.listenerCount('upgrade')).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('plain requests in port mode', () => {
  test('get 426 and a body', async () => {
    const wss = await listening();
    const { port } = wss.address();
    const [response] = await once(http.get({ port, host: '127.0.0.1', agent: false }), 'response');
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    expect(response.statusCode).toBe(426);
    expect(response.statusMessage).toBe('Upgrade Required');
    expect(response.headers).toMatchObject({
      'content-length': '16',
      'content-type': 'text/plain'
    });
    expect(Buffer.concat(chunks).toString()).toBe('Upgrade Required');
  });

  test('may be followed by others on the same connection', async () => {
    const wss = await listening();
    const peer = await RawPeer.connect(
      wss.address().port,
      'GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    );
    const all = peer.head || (await peer.headers());
    const rest = await peer.body();
    expect(all).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(rest).toMatch(/^Upgrade RequiredHTTP\/1\.1 426 Upgrade Required\r\n/);
    peer.socket.destroy();
  });
});

/** The answer that ends a refused handshake. */
function refusal(status, body, ...extra) {
  return [
    `HTTP/1.1 ${status}`,
    'Connection: close',
    'Content-Type: text/html',
    `Content-Length: ${body.length}`,
    ...extra,
    '',
    body
  ].join('\r\n');
}

const refusals = [
  ['a POST', { method: 'POST' }, refusal('405 Method Not Allowed', 'Invalid HTTP method')],
  [
    'another protocol',
    { headers: { Upgrade: 'foo' } },
    refusal('400 Bad Request', 'Invalid Upgrade header')
  ],
  [
    'no key',
    { headers: { 'Sec-WebSocket-Key': null } },
    refusal('400 Bad Request', 'Missing or invalid Sec-WebSocket-Key header')
  ],
  [
    'a bad key',
    { headers: { 'Sec-WebSocket-Key': `${KEY}=` } },
    refusal('400 Bad Request', 'Missing or invalid Sec-WebSocket-Key header')
  ],
  [
    'version 12',
    { headers: { 'Sec-WebSocket-Version': '12' } },
    refusal(
      '400 Bad Request',
      'Missing or invalid Sec-WebSocket-Version header',
      'Sec-WebSocket-Version: 13, 8'
    )
  ],
  ['another path', { path: '/b' }, refusal('400 Bad Request', 'Bad Request')],
  [
    'a malformed subprotocol',
    { path: '/a', headers: { 'Sec-WebSocket-Protocol': 'a;b' } },
    refusal('400 Bad Request', 'Invalid Sec-WebSocket-Protocol header')
  ],
  // The checks come in this order.
  [
    'a POST without a key',
    { method: 'POST', headers: { 'Sec-WebSocket-Key': null, Upgrade: 'foo' } },
    refusal('405 Method Not Allowed', 'Invalid HTTP method')
  ],
  [
    'another protocol without a key',
    { headers: { 'Sec-WebSocket-Key': null, Upgrade: 'foo' } },
    refusal('400 Bad Request', 'Invalid Upgrade header')
  ],
  [
    'another path with a malformed subprotocol',
    { path: '/b', headers: { 'Sec-WebSocket-Protocol': 'a;b' } },
    refusal('400 Bad Request', 'Bad Request')
  ],
  [
    'a bad key and version',
    { headers: { 'Sec-WebSocket-Key': 'a', 'Sec-WebSocket-Version': '1' } },
    refusal('400 Bad Request', 'Missing or invalid Sec-WebSocket-Key header')
  ]
];

describe.each(['port', 'server', 'noServer'])('the handshake, %s mode', (mode) => {
  /** A server in this mode; resolves with { wss, port }. */
  async function serve(options) {
    if (mode === 'port') {
      const wss = await listening(options);
      return { wss, port: wss.address().port };
    }
    if (mode === 'server') {
      const server = await httpServer();
      const wss = new WebSocket.Server({ server, ...options });
      cleanUp.push(() => stop(wss));
      return { wss, port: server.address().port };
    }
    const wss = new WebSocket.Server({ noServer: true, ...options });
    const server = await httpServer((req, socket, head) => {
      wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
    });
    cleanUp.push(() => stop(wss));
    return { wss, port: server.address().port };
  }

  async function head(port, options) {
    const peer = await RawPeer.open(port, options);
    cleanUp.push(() => peer.socket.destroy());
    return peer.head;
  }

  test('answers with exactly these bytes', async () => {
    const { port } = await serve();
    expect(await head(port)).toBe(`${SWITCHING}\r\n`);
  });

  test.each(refusals)('refuses %s with exactly these bytes', async (name, options, expected) => {
    const { wss, port } = await serve({ path: '/a' });
    wss.on('connection', () => {
      throw new Error('must not connect');
    });
    const peer = await RawPeer.open(port, { path: '/a', ...options });
    expect(peer.head + (await peer.body())).toBe(expected);
    peer.socket.destroy();
  });

  test('matches the path without the query', async () => {
    const { port } = await serve({ path: '/a' });
    expect(await head(port, { path: '/a?b' })).toBe(`${SWITCHING}\r\n`);
  });

  test('verifyClient with one parameter', async () => {
    const infos = [];
    const { wss, port } = await serve({
      verifyClient(info) {
        infos.push([this === wss.options, info.origin, info.secure, info.req.url]);
        return info.req.url === '/yes';
      }
    });
    const origin = { Origin: 'http://a', 'Sec-WebSocket-Origin': 'http://b' };
    expect(await head(port, { path: '/yes', headers: origin })).toBe(`${SWITCHING}\r\n`);
    const old = { ...origin, 'Sec-WebSocket-Version': '8' };
    const peer = await RawPeer.open(port, { path: '/no', headers: old });
    expect(peer.head + (await peer.body())).toBe(refusal('401 Unauthorized', 'Unauthorized'));
    expect(infos).toEqual([
      [true, 'http://a', false, '/yes'],
      [true, 'http://b', false, '/no']
    ]);
    peer.socket.destroy();
  });

  test.each([
    [[false], refusal('401 Unauthorized', 'Unauthorized')],
    [[false, 404], refusal('404 Not Found', 'Not Found')],
    [[false, 403, 'go away'], refusal('403 Forbidden', 'go away')],
    [
      [false, 503, undefined, { 'Retry-After': 5, 'Content-Type': 'text/x' }],
      refusal('503 Service Unavailable', 'Service Unavailable', 'Retry-After: 5').replace(
        'text/html',
        'text/x'
      )
    ]
  ])('verifyClient with a callback: %p', async (result, expected) => {
    const { port } = await serve({
      verifyClient: (info, callback) => setImmediate(callback, ...result)
    });
    const peer = await RawPeer.open(port);
    expect(peer.head + (await peer.body())).toBe(expected);
    peer.socket.destroy();
  });

  test('verifyClient may say yes later; what came meanwhile is not lost', async () => {
    let decide;
    const asked = new Promise((resolve) => (decide = resolve));
    const { wss, port } = await serve({
      verifyClient: (info, callback) => decide(callback)
    });
    const received = new Promise((resolve) => {
      wss.on('connection', (ws) => ws.on('message', (data) => resolve(data.toString())));
    });
    const peer = await RawPeer.connect(
      port,
      Buffer.concat([Buffer.from(request()), frame(0x81, 'early')])
    );
    cleanUp.push(() => peer.socket.destroy());
    const callback = await asked;
    peer.send(frame(0x81, 'later'));
    callback(true);
    expect(await peer.headers()).toBe(`${SWITCHING}\r\n`);
    expect(await received).toBe('early');
  });

  test('a peer that leaves while verifyClient decides gets no WebSocket', async () => {
    let decide;
    const asked = new Promise((resolve) => (decide = resolve));
    const { wss, port } = await serve({
      verifyClient: (info, callback) => decide([info.req, callback])
    });
    wss.on('connection', () => {
      throw new Error('must not connect');
    });
    const peer = await RawPeer.connect(port);
    const [{ socket }, callback] = await asked;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    peer.socket.resetAndDestroy();
    await closed;
    callback(true);
    expect(wss.clients.size).toBe(0);
  });

  test('handleProtocols chooses', async () => {
    const calls = [];
    const { wss, port } = await serve({
      handleProtocols(protocols, req) {
        calls.push([this === wss.options, [...protocols], req.url]);
        return [...protocols][1];
      }
    });
    const connected = once(wss, 'connection');
    expect(await head(port, { headers: { 'Sec-WebSocket-Protocol': 'a, b,c' } })).toBe(
      `${SWITCHING}Sec-WebSocket-Protocol: b\r\n\r\n`
    );
    const [ws] = await connected;
    expect(ws.protocol).toBe('b');
    expect(calls).toEqual([[true, ['a', 'b', 'c'], '/']]);
    expect(await head(port)).toBe(`${SWITCHING}\r\n`);
    expect(calls).toHaveLength(1);
  });

  test('the first protocol is chosen without handleProtocols', async () => {
    const { port } = await serve();
    expect(await head(port, { headers: { 'Sec-WebSocket-Protocol': 'a,b' } })).toBe(
      `${SWITCHING}Sec-WebSocket-Protocol: a\r\n\r\n`
    );
  });

  test("'headers' may add lines", async () => {
    const { wss, port } = await serve();
    const seen = [];
    wss.on('headers', (lines, req) => {
      seen.push([...lines], req.url);
      lines.push('Set-Cookie: a=b', 'X-Other: ü');
    });
    expect(await head(port, { path: '/x' })).toBe(
      Buffer.from(`${SWITCHING}Set-Cookie: a=b\r\nX-Other: ü\r\n\r\n`).toString('latin1')
    );
    expect(seen).toEqual([SWITCHING.trim().split('\r\n'), '/x']);
  });

  test("'wsClientError' takes the refusal over", async () => {
    const { wss, port } = await serve();
    const seen = [];
    wss.on('wsClientError', (error, socket, req) => {
      seen.push(error instanceof Error, error.message, req.method);
      expect(socket.remoteAddress).toBe('127.0.0.1');
      socket.end('HTTP/1.1 400 Mine\r\nConnection: close\r\n\r\nmine');
    });
    const peer = await RawPeer.open(port, { method: 'POST' });
    expect(peer.head + (await peer.body())).toBe(
      'HTTP/1.1 400 Mine\r\nConnection: close\r\n\r\nmine'
    );
    expect(seen).toEqual([true, 'Invalid HTTP method', 'POST']);
    peer.socket.destroy();
  });

  test('shouldHandle may be replaced', async () => {
    const { wss, port } = await serve();
    wss.shouldHandle = (req) => req.headers.host === 'good';
    const peer = await RawPeer.open(port);
    expect(peer.head + (await peer.body())).toBe(refusal('400 Bad Request', 'Bad Request'));
    peer.socket.destroy();
    expect(await head(port, { headers: { Host: 'good' } })).toBe(`${SWITCHING}\r\n`);
  });

  test('the request is an http.IncomingMessage', async () => {
    const { wss, port } = await serve();
    const connected = once(wss, 'connection');
    await head(port, {
      path: '/a?b=c',
      headers: { Cookie: 'x=y', 'X-Twice': 'one', 'x-twice': 'two', 'X-Latin': 'é' }
    });
    const [ws, incoming] = await connected;
    expect(incoming).toBeInstanceOf(http.IncomingMessage);
    expect(incoming).toMatchObject({ method: 'GET', url: '/a?b=c', httpVersion: '1.1' });
    expect(incoming.headers).toMatchObject({
      cookie: 'x=y',
      host: 'localhost',
      'x-twice': 'one, two',
      'sec-websocket-key': KEY
    });
    expect(incoming.rawHeaders.slice(0, 2)).toEqual(['Host', 'localhost']);
    const { remoteAddress, remotePort, localPort } = incoming.socket;
    expect([remoteAddress, typeof remotePort, localPort]).toEqual(['127.0.0.1', 'number', port]);
    expect(ws._socket.remoteAddress).toBe('127.0.0.1');
    expect(ws.url).toBeUndefined();
  });

  test('clients has the WebSocket after its open and before its connection event', async () => {
    const seen = [];
    class Own extends WebSocket {
      emit(event, ...args) {
        if (event === 'open') seen.push(`open ${this.server.clients.size}`);
        return super.emit(event, ...args);
      }
    }
    const { wss, port } = await serve({ WebSocket: Own });
    Own.prototype.server = wss;
    const connected = new Promise((resolve) => {
      wss.on('connection', (ws) => {
        seen.push(`connection ${wss.clients.has(ws)} ${ws instanceof Own}`);
        ws.on('close', () => {
          seen.push(`close ${wss.clients.size}`);
          resolve();
        });
        ws.terminate();
        seen.push(`terminated ${wss.clients.size}`);
      });
    });
    await head(port);
    await connected;
    expect(seen).toEqual(['open 0', 'connection true true', 'terminated 1', 'close 0']);
  });
});

describe('close()', () => {
  test('waits for the connections in port mode', async () => {
    const wss = await listening();
    const { websocket, peer } = await connect(wss);
    const order = [];
    const closed = new Promise((resolve) => {
      wss.close((error) => {
        order.push(['callback', error]);
        resolve();
      });
    });
    wss.on('close', () => order.push('event'));
    expect(wss.address()).toBeNull();
    expect(websocket.readyState).toBe(WebSocket.OPEN);
    // An open connection goes on working.
    const echoed = once(websocket, 'message');
    peer.send(frame(0x81, 'still'));
    expect((await echoed)[0].toString()).toBe('still');
    expect(order).toEqual([]);
    const clientClosed = once(websocket, 'close');
    peer.socket.end();
    await Promise.all([closed, clientClosed]);
    expect(order).toEqual([['callback', undefined], 'event']);
  });

  test('refuses new connections', async () => {
    const wss = await listening();
    const { port } = wss.address();
    await new Promise((resolve) => wss.close(resolve));
    const [error] = await once(net.connect(port, '127.0.0.1'), 'error');
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('a second call waits, a later one is an error', async () => {
    const wss = new WebSocket.Server({ noServer: true });
    const results = [];
    await new Promise((resolve) => {
      wss.close((error) => results.push(error));
      wss.close((error) => {
        results.push(error);
        resolve();
      });
    });
    let events = 0;
    wss.on('close', () => events++);
    const error = await new Promise((resolve) => wss.close(resolve));
    expect(results).toEqual([undefined, undefined]);
    expect(error).toEqual(new Error('The server is not running'));
    expect(events).toBe(1);
  });

  test.each([
    [true, 1],
    [false, 0]
  ])('in noServer mode, clientTracking %p', async (clientTracking, waits) => {
    const wss = new WebSocket.Server({ noServer: true, clientTracking });
    let websocket;
    const connected = new Promise((resolve) => {
      wss.on('connection', (ws) => resolve((websocket = ws)));
    });
    const server = await httpServer((req, socket, head) => {
      wss.handleUpgrade(req, socket, head, (ws) => wss.emit('connection', ws, req));
    });
    const peer = await RawPeer.open(server.address().port);
    await connected;
    let open = true;
    websocket.on('close', () => (open = false));
    const closed = new Promise((resolve) => wss.close(resolve));
    await new Promise(setImmediate);
    if (waits) peer.socket.end();
    await closed;
    expect(open).toBe(!waits);
    websocket.terminate();
    peer.socket.destroy();
  });

  test('afterwards handleUpgrade answers 503', async () => {
    const wss = new WebSocket.Server({ noServer: true });
    await new Promise((resolve) => wss.close(resolve));
    const server = await httpServer((req, socket, head) => {
      wss.handleUpgrade(req, socket, head, () => {
        throw new Error('must not connect');
      });
    });
    const peer = await RawPeer.open(server.address().port);
    expect(peer.head + (await peer.body())).toBe(
      refusal('503 Service Unavailable', 'Service Unavailable')
    );
    peer.socket.destroy();
  });
});

describe('handleUpgrade()', () => {
  async function upgradeWith(handler) {
    const wss = new WebSocket.Server({ noServer: true });
    const server = await httpServer((req, socket, head) => handler({ wss, req, socket, head }));
    cleanUp.push(() => stop(wss));
    return { wss, server, port: server.address().port };
  }

  test('calls back at once', async () => {
    const order = [];
    const { port } = await upgradeWith(({ wss, req, socket, head }) => {
      wss.handleUpgrade(req, socket, head, (ws, given) => {
        order.push(['callback', given === req, ws.readyState, wss.clients.has(ws)]);
      });
      order.push('returned');
    });
    const peer = await RawPeer.open(port);
    expect(order).toEqual([['callback', true, 1, true], 'returned']);
    peer.socket.destroy();
  });

  test('after an await, with frames that came with the request and since', async () => {
    const received = [];
    let done;
    const all = new Promise((resolve) => (done = resolve));
    let sent;
    const more = new Promise((resolve) => (sent = resolve));
    const { port } = await upgradeWith(async ({ wss, req, socket, head }) => {
      received.push(`head ${head.length > 0}`);
      await more;
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
      wss.handleUpgrade(req, socket, head, (ws) => {
        ws.on('message', (data) => {
          received.push(data.toString());
          if (data.toString() === 'three') done();
        });
      });
    });
    const first = Buffer.concat([frame(0x81, 'one'), frame(0x81, 'two').subarray(0, 4)]);
    const peer = await RawPeer.connect(port, Buffer.concat([Buffer.from(request()), first]));
    const rest = Buffer.concat([frame(0x81, 'two').subarray(4), frame(0x81, 'three')]);
    peer.socket.write(rest, sent);
    await peer.headers();
    await all;
    expect(received).toEqual(['head true', 'one', 'two', 'three']);
    peer.socket.destroy();
  });

  test('twice on a socket throws', async () => {
    const errors = [];
    const { port } = await upgradeWith(({ wss, req, socket, head }) => {
      wss.handleUpgrade(req, socket, head, () => {});
      try {
        wss.handleUpgrade(req, socket, head, () => errors.push('called back'));
      } catch (error) {
        errors.push(error);
      }
    });
    const peer = await RawPeer.open(port);
    expect(errors).toEqual([
      new Error(
        'server.handleUpgrade() was called more than once with the same socket, possibly due to a ' +
          'misconfiguration'
      )
    ]);
    expect(peer.head).toBe(`${SWITCHING}\r\n`);
    peer.socket.destroy();
  });

  test('counts and ends with the http server', async () => {
    const { wss, server, port } = await upgradeWith(({ wss: target, req, socket, head }) => {
      target.handleUpgrade(req, socket, head, (ws) => target.emit('connection', ws, req));
    });
    const connected = [once(wss, 'connection')];
    const peers = [await RawPeer.open(port), await RawPeer.open(port)];
    await Promise.all(connected);
    expect(await socketsOf(server)).toBe(2);
    let closed = false;
    const ended = new Promise((resolve) => {
      server.close(() => {
        closed = true;
        resolve();
      });
    });
    const [first, second] = wss.clients;
    first.terminate();
    await once(first, 'close');
    await new Promise(setImmediate);
    expect([closed, await socketsOf(server)]).toEqual([false, 1]);
    const address = second._socket.remoteAddress;
    second.terminate();
    await ended;
    expect(address).toBe('127.0.0.1');
    cleanUp.splice(0, 1);
    for (const peer of peers) peer.socket.destroy();
  });

  test('leaves sockets that are refused to the user', async () => {
    const { port } = await upgradeWith(({ socket }) => {
      socket.end('HTTP/1.1 404 Not Found\r\n\r\n');
    });
    const peer = await RawPeer.open(port);
    expect(peer.head).toBe('HTTP/1.1 404 Not Found\r\n\r\n');
    peer.socket.end();
  });
});
