// wss._server of port mode in programs' hands: whoever touches it holds the http.Server that
// listens, whenever that is, with everything that came before.

'use strict';

const http = require('http');
const net = require('net');
const { once } = require('events');

const { libraries } = require('../support/libraries');
const { freePort } = require('../support/ports');
const { request } = require('../support/raw-peer');

const PLAIN = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Declares a test that runs a script with each library and compares what it returns. */
function same(title, script, options) {
  test(title, async () => {
    const results = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', ...options });
      const peers = [];
      await once(wss, 'listening');
      const { port } = wss.address();
      const connect = async (bytes) => {
        const peer = net.connect(port, '127.0.0.1');
        peers.push(peer);
        peer.on('error', () => {});
        await once(peer, 'connect');
        peer.text = '';
        peer.on('data', (chunk) => (peer.text += chunk.toString('latin1')));
        if (bytes) peer.write(bytes);
        return peer;
      };
      try {
        results[name] = await script({ WebSocket, connect, port, wss });
      } finally {
        for (const client of wss.clients) client.terminate();
        for (const peer of peers) peer.destroy();
        wss.close();
      }
    }
    expect(results.ws).toBeDefined();
    expect(results.ferrows).toEqual(results.ws);
  });
}

/** Waits until a peer has read something that matches. */
async function until(peer, pattern) {
  while (!pattern.test(peer.text)) await once(peer, 'data');
}

const statusOf = async (peer) => {
  await once(peer, 'close');
  return peer.text.split('\r\n')[0];
};

const count = (server) =>
  new Promise((resolve, reject) => {
    server.getConnections((error, n) => (error ? reject(error) : resolve(n)));
  });

/** Waits until the server counts so many connections. */
async function counted(server, n) {
  while ((await count(server)) !== n) await new Promise(setImmediate);
  return n;
}

same('it is an http.Server with Node’s own members', ({ wss }) => {
  const { _server: server } = wss;
  const facts = [
    server instanceof http.Server,
    server instanceof net.Server,
    wss._server === server,
    Object.keys(wss).includes('_server'),
    server.listening,
    server.address().family,
    server.address().port === wss.address().port,
    ['request', 'upgrade', 'connection', 'listening', 'error'].map((name) =>
      server.listenerCount(name)
    ),
    ['timeout', 'keepAliveTimeout', 'headersTimeout', 'requestTimeout', 'maxHeadersCount'].map(
      (name) => server[name]
    ),
    typeof server[Symbol.asyncDispose],
    server.unref() === server,
    server.ref() === server,
    Object.keys(server)
  ];
  return facts;
});

same('no second event tells that it listens', async ({ wss }) => {
  const events = [];
  wss.on('listening', () => events.push('wss'));
  wss._server.on('listening', () => events.push('server'));
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  return events;
});

test.each(['', '127.0.0.1', 'localhost'])('touched before it listens, host %j', async (host) => {
  const results = {};
  for (const [name, WebSocket] of Object.entries(libraries)) {
    const events = [];
    const wss = new WebSocket.Server({ port: 0, host: host || undefined }, () => {
      events.push('callback');
    });
    wss.on('listening', () => events.push('wss'));
    wss._server.on('listening', () => events.push('server'));
    events.push(wss._server.listening, wss._server instanceof http.Server);
    await once(wss, 'listening');
    const { family, port } = wss.address();
    const client = new WebSocket(`ws://${family === 'IPv4' ? '127.0.0.1' : '[::1]'}:${port}`);
    wss.on('connection', (websocket) => websocket.send('hello'));
    events.push(String((await once(client, 'message'))[0]));
    client.terminate();
    await new Promise((resolve) => wss.close(resolve));
    results[name] = events;
  }
  expect(results.ferrows).toEqual(results.ws);
});

test('the callback is called on the server', async () => {
  const results = {};
  for (const [name, WebSocket] of Object.entries(libraries)) {
    let self;
    const wss = new WebSocket.Server({ port: 0 }, function () {
      self = this;
    });
    await once(wss, 'listening');
    results[name] = [self === wss._server, self.address().port === wss.address().port];
    wss.close();
  }
  expect(results.ferrows).toEqual(results.ws);
});

test('a port that is taken, tried again', async () => {
  const results = {};
  const other = net.createServer().listen(0);
  await once(other, 'listening');
  const { port } = other.address();
  for (const [name, WebSocket] of Object.entries(libraries)) {
    const events = [];
    const wss = new WebSocket.Server({ port });
    const [error] = await once(wss, 'error');
    events.push(error.code, error.syscall, wss._server.listening, wss.address());
    wss._server.listen(0);
    await once(wss, 'listening');
    events.push(wss._server.listening);
    await new Promise((resolve) => wss.close(resolve));
    results[name] = events;
  }
  other.close();
  expect(results.ferrows).toEqual(results.ws);
});

same('requests are the user’s', async ({ connect, wss }) => {
  wss._server.removeAllListeners('request');
  wss._server.on('request', (message, response) => response.end(`ok ${message.url}`));
  const peer = await connect(LAST);
  return [await statusOf(peer), peer.text.split('\r\n').pop()];
});

same('events of connections and upgrades', async ({ WebSocket, port, wss }) => {
  const events = [];
  wss._server.on('connection', (socket) =>
    events.push(['connection', socket instanceof net.Socket])
  );
  wss._server.on('upgrade', (message, socket, head) => {
    events.push(['upgrade', message.url, socket.server === wss._server, head.length]);
  });
  wss.on('connection', (websocket) => websocket.on('message', (data) => websocket.send(data)));
  const client = new WebSocket(`ws://127.0.0.1:${port}/path`);
  await once(client, 'open');
  client.send('echo');
  const [data] = await once(client, 'message');
  events.push(data.toString());
  client.close();
  await once(client, 'close');
  return events;
});

same('errors of clients', async ({ connect, wss }) => {
  const codes = [];
  wss._server.on('clientError', (error, socket) => {
    codes.push(error.code);
    socket.end('HTTP/1.1 400 Nope\r\n\r\n');
  });
  const peer = await connect('GARBAGE\r\n\r\n');
  return [await statusOf(peer), codes];
});

same('a head that came half before', async ({ connect, wss }) => {
  const whole = request({ path: '/half' });
  const results = [];
  for (const cut of [1, 20, whole.length - 1]) {
    const peer = await connect(whole.slice(0, cut));
    const other = await connect(LAST);
    // What came before is read now.
    await once(other, 'close');
    void wss._server;
    const connected = once(wss, 'connection');
    peer.write(whole.slice(cut));
    const [, message] = await connected;
    await until(peer, /\r\n\r\n/);
    results.push(message.url, message.headers, peer.text);
  }
  return results;
});

same('a head that came half before and goes wrong', async ({ connect, wss }) => {
  const peer = await connect('GET / HTTP/1.1\r\nHo');
  await once(await connect(LAST), 'close');
  const codes = [];
  wss._server.on('clientError', (error, socket) => {
    codes.push(error.code, error.rawPacket && error.rawPacket.toString());
    socket.destroy();
  });
  peer.write('st\0: a\r\n\r\n');
  await once(peer, 'close');
  return codes;
});

same('connections that are there already', async ({ WebSocket, connect, port, wss }) => {
  const counts = [];
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const message = once(client, 'message');
  wss.on('connection', (websocket) => {
    websocket.send('hello');
    websocket.on('message', (data) => websocket.send(`${data}`));
  });
  await message;
  const silent = await connect();
  const idle = await connect(PLAIN);
  await until(idle, /Upgrade Required$/);
  counts.push(await counted(wss._server, 3));
  silent.destroy();
  counts.push(await counted(wss._server, 2));
  client.send('again');
  counts.push(String((await once(client, 'message'))[0]));
  wss._server.closeIdleConnections();
  await once(idle, 'close');
  counts.push(await counted(wss._server, 1));
  client.close();
  await once(client, 'close');
  counts.push(await counted(wss._server, 0));
  return counts;
});

same('all connections can be closed', async ({ WebSocket, connect, port, wss }) => {
  const half = await connect('GET / HT');
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(client, 'open');
  await counted(wss._server, 2);
  wss._server.closeAllConnections();
  await once(half, 'close');
  return [await counted(wss._server, 1), client.readyState];
});

same('an idle connection goes on', async ({ connect, wss }) => {
  const idle = await connect(PLAIN);
  await until(idle, /Upgrade Required$/);
  wss._server.on('request', (message) => (idle.seen = message.url));
  idle.text = '';
  idle.write(LAST);
  return [await statusOf(idle), idle.seen];
});

same('there may be no more connections', async ({ WebSocket, connect, port, wss }) => {
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(client, 'open');
  wss._server.maxConnections = 1;
  const peer = await connect(request());
  await once(peer, 'close');
  return peer.text;
});

same('closing waits for all connections', async ({ WebSocket, connect, port, wss }) => {
  const events = [];
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(client, 'open');
  const silent = await connect();
  const half = await connect(request().slice(0, 30));
  await once(await connect(LAST), 'close');
  const closed = new Promise((resolve) => wss.close(resolve)).then(() => events.push('closed'));
  half.write(request().slice(30));
  await until(half, /Required/);
  events.push(half.text.split('\r\n')[0]);
  for (const peer of [silent, half]) peer.destroy();
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  events.push('one left');
  client.terminate();
  await closed;
  return events;
});

test.each(['at once', 'in the callback', 'with connections'])(
  'the port is free: %s',
  async (when) => {
    const WebSocket = libraries.ferrows;
    const port = await freePort();
    let previous = new WebSocket.Server({ port, host: '127.0.0.1' });
    await once(previous, 'listening');
    for (let round = 0; round < 100; round++) {
      if (when === 'with connections') {
        const client = new WebSocket(`ws://127.0.0.1:${port}`);
        await once(client, 'open');
        previous.close();
        client.terminate();
        await once(previous, 'close');
      } else if (when === 'in the callback') {
        await new Promise((resolve) => previous.close(resolve));
      } else {
        previous.close();
        await null;
      }
      previous = new WebSocket.Server({ port, host: '127.0.0.1' });
      await once(previous, 'listening');
    }
    previous.close();
  }
);

same('a socket has its server, which counts it once', async ({ connect, wss }) => {
  const connected = once(wss, 'connection');
  await connect(request());
  const [websocket, { socket }] = await connected;
  const { server } = socket;
  const facts = [server === wss._server, websocket._socket.server === server, await count(server)];
  websocket.terminate();
  return [...facts, await counted(server, 0), socket.server === server];
});

const ENDS = {
  terminate: ({ websocket }) => websocket.terminate(),
  'destroy the socket': ({ socket }) => socket.destroy(),
  'give it back': ({ socket, websocket }) => {
    socket.cork();
    socket.uncork();
    websocket.terminate();
  },
  'by the peer': ({ peer }) => peer.destroy()
};

for (const [title, end] of Object.entries(ENDS)) {
  same(`the _server of a socket counts it once: ${title}`, async ({ connect, wss }) => {
    const sockets = [];
    for (let number = 0; number < 2; number++) {
      const connected = once(wss, 'connection');
      const peer = await connect(request());
      const [websocket, { socket }] = await connected;
      websocket.on('error', () => {});
      sockets.push({ peer, socket, websocket });
    }
    const [touched, other] = sockets;
    const { _server: server } = touched.socket;
    const facts = [server === wss._server, Object.keys(touched.socket).includes('_server')];
    facts.push(await count(server));
    const closed = once(touched.socket, 'close');
    end(touched);
    await closed;
    facts.push(await counted(server, 1));
    const otherClosed = once(other.socket, 'close');
    end(other);
    await otherClosed;
    await new Promise(setImmediate);
    facts.push(await counted(server, 0), server.listening);
    return [...facts, touched.socket._server === server, other.socket._server === server];
  });
}

// When a program first looks at the socket of a connection that is over.
const LATE = {
  'in the listener for the end': (look) => look(),
  'a turn later': (look) => setImmediate(look)
};
const LOOKS = {
  'request.socket': (websocket, { socket }) => socket,
  'ws._socket': ({ _socket: socket }) => socket
};

for (const [when, later] of Object.entries(LATE)) {
  for (const [what, socketOf] of Object.entries(LOOKS)) {
    same(`${what}, first looked at ${when}`, async ({ connect, wss }) => {
      const connected = once(wss, 'connection');
      const peer = await connect(request());
      const [websocket, incoming] = await connected;
      const facts = [];
      const seen = new Promise((resolve) => {
        websocket.on('close', (code) => {
          facts.push(['close', code]);
          later(() => resolve(socketOf(websocket, incoming)));
        });
      });
      websocket.on('error', () => {});
      peer.destroy();
      const socket = await seen;
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
      facts.push(socket.destroyed, websocket.readyState, await counted(wss._server, 0));
      return facts;
    });
  }
}

same('a socket whose server was closed has one that does not listen', async ({ connect, wss }) => {
  const connected = once(wss, 'connection');
  const peer = await connect(request());
  const [, { socket }] = await connected;
  wss.close();
  await new Promise(setImmediate);
  const facts = [socket.server instanceof http.Server, socket.server.listening];
  peer.destroy();
  return facts;
});
