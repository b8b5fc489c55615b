// WebSockets over sockets that stay with Node, beside ws.

'use strict';

const http = require('http');
const https = require('https');
const { Duplex } = require('stream');
const { once } = require('events');

const { libraries } = require('../support/libraries');
const { make } = require('../support/certificate');
const { watch } = require('../differential/run');

const { ws, ferrows } = libraries;

/** Two Duplexes; what goes into one comes out of the other. */
function duplexPair() {
  const make = () =>
    new Duplex({
      read() {},
      write(chunk, encoding, callback) {
        setImmediate(() => {
          this.peer.push(chunk);
          callback();
        });
      },
      final(callback) {
        setImmediate(() => {
          this.peer.push(null);
          callback();
        });
      }
    });
  const pair = [make(), make()];
  [pair[0].peer, pair[1].peer] = [pair[1], pair[0]];
  return pair;
}

/** A server's and a client's WebSocket at the ends of a pair, without a handshake. */
function joined(server, client, options = {}) {
  const [near, far] = duplexPair();
  const accepted = new server(null, undefined, { autoPong: true, closeTimeout: 1000, ...options });
  const connected = new client(null, undefined, { autoPong: true, closeTimeout: 1000, ...options });
  connected._isServer = false;
  accepted.setSocket(near, Buffer.alloc(0), { maxPayload: 0, ...options });
  connected.setSocket(far, Buffer.alloc(0), { maxPayload: 0, ...options });
  return [accepted, connected];
}

const sides = { 'ws and ferrows': [ws, ferrows], 'ferrows and ws': [ferrows, ws] };

describe.each(Object.entries(sides))('in-memory streams: %s', (name, [server, client]) => {
  test('exchange messages of all kinds and close', async () => {
    const [accepted, connected] = joined(server, client);
    accepted.on('message', (data, isBinary) => accepted.send(data, { binary: isBinary }));
    const seen = [];
    connected.on('message', (data, isBinary) => seen.push([data.toString(), isBinary]));
    connected.on('pong', (data) => seen.push(`pong ${data}`));
    connected.send('text');
    connected.send(Buffer.from('bytes'));
    connected.send(new Blob(['blob']));
    connected.send('fragment', { fin: false });
    connected.ping('p');
    connected.send('s');
    connected.send(Buffer.alloc(100000, 97));
    connected.close(4000, 'bye');
    const [[code, reason], [ownCode]] = await Promise.all([
      once(accepted, 'close'),
      once(connected, 'close')
    ]);
    // Which of the two comes first depends on how the frames are cut into chunks.
    expect(seen.filter((entry) => entry === 'pong p')).toHaveLength(1);
    expect(seen.filter((entry) => entry !== 'pong p')).toEqual([
      ['text', false],
      ['bytes', true],
      ['blob', true],
      ['fragments', false],
      ['a'.repeat(100000), true]
    ]);
    expect([code, reason.toString(), ownCode]).toEqual([4000, 'bye', 4000]);
  });
});

describe('beside ws', () => {
  /** Runs a script with a pair of each library and expects the same trace. */
  function same(title, script, options) {
    test(title, async () => {
      const traces = [];
      for (const library of [ws, ferrows]) {
        const trace = [];
        const [accepted, connected] = joined(library, ws, options);
        watch(accepted, trace);
        const closed = new Promise((resolve) => accepted.on('close', resolve));
        await script({ accepted, connected, trace, closed });
        traces.push(trace);
      }
      expect(traces[0]).not.toHaveLength(0);
      expect(traces[1]).toEqual(traces[0]);
    });
  }

  same(
    'pause hides what comes, the close included',
    async ({ accepted, connected, trace, closed }) => {
      accepted.pause();
      connected.send('a');
      connected.close(1000);
      await new Promise((resolve) => setTimeout(resolve, 50));
      trace.push(`paused ${accepted.isPaused} ${accepted.readyState}`);
      accepted.resume();
      await closed;
    }
  );

  same('terminate() delivers what was read', async ({ accepted, connected, closed }) => {
    accepted.once('message', () => accepted.terminate());
    connected.send('a');
    connected.send('b');
    await closed;
  });

  same('a socket that fails', async ({ accepted, trace, closed }) => {
    accepted._socket.destroy(new Error('broken'));
    await closed;
    accepted.send('late', (error) => trace.push(error.message));
    trace.push(accepted.bufferedAmount);
    await new Promise((resolve) => setImmediate(resolve));
  });

  same('the peer goes without a close frame', async ({ connected, closed }) => {
    connected._socket.end();
    await closed;
  });

  same('a violation', async ({ connected, closed }) => {
    connected._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
    await closed;
  });

  same(
    'one event a turn',
    async ({ accepted, connected, trace, closed }) => {
      accepted.on('message', () => setImmediate(() => trace.push('turn')));
      for (const text of ['a', 'b', 'c']) connected.send(text);
      connected.close(1000);
      await closed;
    },
    { allowSynchronousEvents: false }
  );

  same('_sender and _receiver', async ({ accepted, connected, trace, closed }) => {
    const got = once(connected, 'message');
    accepted._receiver.on('conclude', (code) => trace.push(`conclude ${code}`));
    accepted._sender.sendFrame([Buffer.from([0x81, 0x02]), Buffer.from('hi')]);
    trace.push(String((await got)[0]));
    trace.push(accepted._socket.constructor.name, accepted._receiver._maxPayload);
    connected.close(1001);
    await closed;
  });

  same('a Blob behind which the socket closes', async ({ accepted, trace, closed }) => {
    const failed = new Promise((resolve) => {
      accepted.send(new Blob(['x']), (error) => trace.push(`blob: ${error.message}`));
      accepted.send('behind', (error) => resolve(trace.push(`behind: ${error.message}`)));
    });
    accepted.terminate();
    await Promise.all([closed, failed]);
  });
});

test('a masking key of the user is used', async () => {
  const chunks = [];
  const stream = new Duplex({
    read() {},
    write(chunk, encoding, callback) {
      chunks.push(chunk);
      callback();
    }
  });
  const websocket = new ferrows(null, undefined, {});
  websocket._isServer = false;
  const generateMask = (key) => key.set([1, 2, 3, 4]);
  websocket.setSocket(stream, Buffer.alloc(0), { generateMask });
  websocket.send('ab');
  await new Promise((resolve) => setImmediate(resolve));
  expect(Buffer.concat(chunks)).toEqual(Buffer.from([0x81, 0x82, 1, 2, 3, 4, 0x60, 0x60]));
});

describe('over TLS', () => {
  const credentials = make();
  const options = { ca: credentials.cert };

  test.each(Object.entries({ ...sides, 'ferrows alone': [ferrows, ferrows] }))(
    '%s exchange messages',
    async (name, [server, client]) => {
      const web = https.createServer(credentials);
      const wss = new server.Server({ server: web });
      wss.on('connection', (websocket, request) => {
        websocket.send(String(request.socket.encrypted));
        websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
      });
      web.listen(0, '127.0.0.1');
      await once(web, 'listening');
      const websocket = new client(`wss://localhost:${web.address().port}`, {
        ...options,
        family: 4
      });
      expect((await once(websocket, 'message'))[0].toString()).toBe('true');
      const large = Buffer.alloc(1 << 20, 'x');
      websocket.send(large);
      const [echo, isBinary] = await once(websocket, 'message');
      expect(isBinary && echo.equals(large)).toBe(true);
      websocket.close();
      await once(websocket, 'close');
      wss.close();
      await new Promise((resolve) => web.close(resolve));
    }
  );

  test('a certificate that is not trusted is an error', async () => {
    const web = https.createServer(credentials);
    web.listen(0, '127.0.0.1');
    await once(web, 'listening');
    const errors = [];
    for (const library of [ws, ferrows]) {
      const websocket = new library(`wss://localhost:${web.address().port}`, { family: 4 });
      const closed = new Promise((resolve) => websocket.on('close', resolve));
      websocket.on('error', ({ code }) => errors.push(code, websocket.readyState));
      errors.push(await closed);
    }
    expect(errors.slice(3)).toEqual(errors.slice(0, 3));
    await new Promise((resolve) => web.close(resolve));
  });
});

test('a request that is no IncomingMessage and a socket that is no net.Socket', async () => {
  const [near, far] = duplexPair();
  const wss = new ferrows.Server({ noServer: true });
  const request = {
    headers: {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': 13,
      'sec-websocket-key': Buffer.alloc(16).toString('base64')
    },
    httpVersion: '1.1',
    method: 'GET',
    url: '/'
  };
  let response = '';
  far.on('data', (chunk) => (response += chunk.toString('latin1')));
  const connected = new Promise((resolve) => {
    wss.handleUpgrade(request, near, Buffer.alloc(0), resolve);
  });
  const websocket = await connected;
  websocket.send('hello');
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(response).toMatch(/^HTTP\/1.1 101 /);
  expect(response.endsWith('\r\n\r\n\u0081\u0005hello')).toBe(true);
  expect(() => wss.handleUpgrade(request, near, Buffer.alloc(0), () => {})).toThrow(
    /called more than once with the same socket/
  );
  websocket.terminate();
});

test('sockets with unwritten bytes are served, after those', async () => {
  const server = http.createServer();
  const wss = new ferrows.Server({ noServer: true });
  server.on('upgrade', (request, socket, head) => {
    // More than the kernel takes at once would be no valid response; a few bytes of an interim one
    // do for the order.
    socket.cork();
    socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    wss.handleUpgrade(request, socket, head, (websocket) => websocket.send('after'));
    socket.uncork();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const websocket = new ws(`ws://127.0.0.1:${server.address().port}`);
  expect((await once(websocket, 'message'))[0].toString()).toBe('after');
  websocket.close();
  await once(websocket, 'close');
  await new Promise((resolve) => server.close(resolve));
});
