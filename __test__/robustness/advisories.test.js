// One test for every published flaw of WebSocket libraries that is listed in
// SECURITY.md: none of them is to come back here.

'use strict';

const http = require('http');
const net = require('net');
const zlib = require('zlib');
const { once } = require('events');

const WebSocket = require('../..');
const { answeringServer, serverWithPeer, switching } = require('../support/peers');
const { RawPeer, frame, request } = require('../support/raw-peer');

const MEBIBYTE = 1 << 20;

/** A server in either mode, so that both a worker and Node read the head. */
async function serve(mode, options = {}) {
  if (mode === 'port') {
    const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', ...options });
    await once(wss, 'listening');
    const close = () => {
      for (const client of wss.clients) client.terminate();
      return new Promise((resolve) => wss.close(resolve));
    };
    return { wss, port: wss.address().port, close };
  }
  const server = http.createServer();
  const wss = new WebSocket.Server({ server, ...options });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const client of wss.clients) client.terminate();
    return new Promise((resolve) => server.close(resolve));
  };
  return { wss, port: server.address().port, close };
}

const modes = ['port', 'server'];

/** What a server answers to a request head, '' if it only closes. */
async function answerTo(port, bytes) {
  const socket = net.connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.on('close', resolve));
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
    if (text.includes('\r\n\r\n')) socket.destroy();
  });
  socket.on('error', () => {});
  socket.end(bytes);
  await closed;
  return text.split('\r\n')[0];
}

test('CVE-2016-10518: numbers are sent as text, not as uninitialised memory', async () => {
  const { websocket, peer, close } = await serverWithPeer(WebSocket);
  websocket.ping(100);
  websocket.pong(100);
  websocket.send(1000);
  for (const expected of ['100', '100', '1000']) {
    const { payload } = await peer.nextFrame();
    expect(payload.toString()).toBe(expected);
  }
  await close();
});

test('CVE-2026-45736: a close reason is text or bytes, nothing else', async () => {
  const { websocket, peer, close } = await serverWithPeer(WebSocket);
  for (const reason of [
    new Float32Array(20),
    new Uint16Array(5),
    new DataView(new ArrayBuffer(9))
  ]) {
    if (reason.length === undefined) continue;
    expect(() => websocket.close(1000, reason)).toThrow(TypeError);
  }
  // A view sends its own bytes and no others.
  const memory = Buffer.from('secret-reason-secret');
  websocket.close(1000, new Uint8Array(memory.buffer, memory.byteOffset + 7, 6));
  const { payload } = await peer.nextFrame();
  expect(payload.toString('latin1', 2)).toBe('reason');
  await close();
});

test('typed arrays of any kind send their own bytes', async () => {
  const { websocket, peer, close } = await serverWithPeer(WebSocket);
  const memory = new ArrayBuffer(64);
  new Uint8Array(memory).forEach((_, at, bytes) => (bytes[at] = at));
  for (const Kind of [Int16Array, Float64Array, BigInt64Array, DataView, Uint8ClampedArray]) {
    const count = Kind === DataView ? 16 : 16 / Kind.BYTES_PER_ELEMENT;
    websocket.send(new Kind(memory, 8, count));
    const { payload } = await peer.nextFrame();
    expect([...payload]).toEqual(Array.from({ length: 16 }, (_, at) => at + 8));
  }
  await close();
});

test.each(['0020000000000000', '8000000000000000', 'ffffffffffffffff', '7fffffffffffffff'])(
  'CVE-2016-10542, CVE-2026-1528: the length 0x%s is refused and costs nothing',
  async (length) => {
    const { websocket, peer, close } = await serverWithPeer(WebSocket, { maxPayload: 0 });
    const failed = once(websocket, 'error');
    const before = process.memoryUsage().rss;
    peer.send(Buffer.from(`82ff${length}00000000`, 'hex'));
    const [error] = await failed;
    expect(error.code).toBe('WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH');
    const { payload } = await peer.nextFrame();
    expect(payload.readUInt16BE(0)).toBe(1009);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MEBIBYTE);
    await close();
  }
);

describe.each(modes)('%s mode', (mode) => {
  test('GHSA-5v72-xg48-5rpm: names of Object.prototype are names like others', async () => {
    const { port, close } = await serve(mode, { perMessageDeflate: true });
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];
    for (const name of names) {
      for (const [value, status] of [
        [name, '101'],
        [`${name}; ${name}=${name}`, '101'],
        [`permessage-deflate; ${name}`, '400'],
        [`permessage-deflate; ${name}=1`, '400']
      ]) {
        const headers = { 'Sec-WebSocket-Extensions': value };
        expect(await answerTo(port, request({ headers }))).toContain(status);
      }
    }
    await close();
  });

  test('CVE-2021-32640, CVE-2020-7662: long headers are read in one pass', async () => {
    const { port, close } = await serve(mode, { perMessageDeflate: true });
    // What made quadratic parsers take minutes is over before the test's time is.
    for (const [name, value, status] of [
      ['Sec-WebSocket-Protocol', `a${' '.repeat(15000)}b`, '400'],
      ['Sec-WebSocket-Extensions', `a; b="${'\\a'.repeat(7000)}`, '400'],
      ['Sec-WebSocket-Extensions', `a${';a'.repeat(7000)}`, '101']
    ]) {
      const answer = await answerTo(port, request({ headers: { [name]: value } }));
      expect(answer).toContain(status);
    }
    await close();
  });

  test('CVE-2023-43669: a head that arrives in thousands of pieces is looked at once', async () => {
    const { port, close } = await serve(mode);
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let isOver = false;
    socket.on('data', () => (isOver = true));
    socket.on('error', () => (isOver = true));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.write('GET / HTTP/1.1\r\nA: ');
    let pieces = 0;
    for (; pieces < 20000 && !isOver; pieces++) {
      socket.write('12345678');
      if (pieces % 20 === 0) await new Promise(setImmediate);
    }
    // Refused at the limit of 16 KiB, long before all is written.
    expect(pieces).toBeLessThan(20000);
    socket.destroy();
    await closed;
    expect(await answerTo(port, request())).toContain('101');
    await close();
  });

  test('CVE-2024-37890: more headers than Node keeps do not hide the upgrade', async () => {
    const { port, close } = await serve(mode);
    const padding = Array.from({ length: 2100 }, (_, at) => `${at.toString(36)}:\r\n`).join('');
    const head = request().replace('Host:', `${padding}Host:`);
    const answer = await answerTo(port, head);
    expect(answer).toMatch(/^HTTP\/1\.1 (4\d\d|101) |^$/);
    expect(await answerTo(port, request())).toContain('101');
    await close();
  });
});

test('CVE-2026-48779: a flood of tiny fragments ends with 1008, in bounded memory', async () => {
  const { websocket, peer, close } = await serverWithPeer(WebSocket);
  const failed = once(websocket, 'error');
  const before = process.memoryUsage().rss;
  const flood = Buffer.concat([frame(0x02, 'a'), ...Array(131072).fill(frame(0x00, 'a'))]);
  peer.socket.write(flood);
  const [error] = await failed;
  expect(error.code).toBe('WS_ERR_TOO_MANY_BUFFERED_PARTS');
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MEBIBYTE);
  await close();
});

test('a frame that trickles in is given up after maxBufferedChunks', async () => {
  const { websocket, peer, close } = await serverWithPeer(WebSocket, { maxBufferedChunks: 20 });
  const failed = once(websocket, 'error');
  peer.socket.setNoDelay(true);
  const bytes = frame(0x82, Buffer.alloc(200));
  for (let at = 0; at < bytes.length && websocket.readyState === WebSocket.OPEN; at++) {
    peer.socket.write(bytes.subarray(at, at + 1));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const [error] = await failed;
  expect(error.message).toBe('Too many buffered chunks');
  await close();
});

test('a peer that pings and never reads is let go at maxPendingAutoPongs', async () => {
  const { websocket, peer, close } = await serverWithPeer(WebSocket, { maxPendingAutoPongs: 10 });
  peer.socket.pause();
  // Pongs have to wait behind what the peer does not read.
  websocket.send(Buffer.alloc(32 * MEBIBYTE));
  const closed = once(websocket, 'close');
  for (let i = 0; i < 20; i++) peer.send(frame(0x89, 'x'));
  const [code] = await closed;
  expect(code).toBe(1006);
  await close();
});

test('CVE-2026-1526: a bomb of 1 GiB costs no more than maxPayload', async () => {
  const part = zlib.deflateRawSync(Buffer.alloc(MEBIBYTE), {
    finishFlush: zlib.constants.Z_FULL_FLUSH
  });
  const bomb = Buffer.concat(Array(1024).fill(part));
  expect(bomb.length).toBeLessThan(2 * MEBIBYTE);
  const { port, wss, close } = await serve('port', {
    maxPayload: 4 * MEBIBYTE,
    perMessageDeflate: true
  });
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port, {
    headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
  });
  const [websocket] = await connected;
  const failed = once(websocket, 'error');
  const before = process.memoryUsage().rss;
  peer.send(frame(0xc2, bomb));
  const [error] = await failed;
  expect(error.code).toBe('WS_ERR_UNSUPPORTED_MESSAGE_LENGTH');
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * MEBIBYTE);
  const { payload } = await peer.nextFrame();
  expect(payload.readUInt16BE(0)).toBe(1009);
  peer.socket.destroy();
  await close();
});

test.each([
  'server_max_window_bits=1',
  'server_max_window_bits=16',
  'server_max_window_bits=99999999999999999999',
  'server_max_window_bits=-9',
  'server_max_window_bits',
  'client_max_window_bits=""',
  '__proto__=1'
])('CVE-2026-2229: the answer "%s" fails the handshake and nothing else', async (parameter) => {
  const server = await answeringServer(({ accept }) =>
    switching(accept, `Sec-WebSocket-Extensions: permessage-deflate; ${parameter}`)
  );
  const websocket = new WebSocket(server.url);
  const [error] = await once(websocket, 'error');
  expect(error.message).toBe('Invalid Sec-WebSocket-Extensions header');
  await server.close();
});

test('CVE-2026-1527: line breaks do not get into a request', async () => {
  const breaks = 'a\r\nX-Injected: 1';
  for (const make of [
    () => new WebSocket('ws://127.0.0.1:9', [breaks]),
    () => new WebSocket('ws://127.0.0.1:9', { origin: breaks }),
    () => new WebSocket('ws://127.0.0.1:9', { headers: { 'X-A': breaks } }),
    () => new WebSocket('ws://127.0.0.1:9', { headers: { [breaks]: 'x' } })
  ]) {
    expect(make).toThrow();
  }
  let head;
  const server = await answeringServer(({ accept, head: text }) => {
    head = text;
    return switching(accept);
  });
  const websocket = new WebSocket(`${server.url}/a\r\nX-Injected:%0d%0a1?b\r\nc`);
  await once(websocket, 'open');
  expect(head).not.toMatch(/^X-Injected/im);
  websocket.terminate();
  await server.close();
});

test('credentials do not follow a redirect to another host', async () => {
  const heads = [];
  const target = await answeringServer(({ accept, head }) => {
    heads.push(head);
    return switching(accept);
  });
  const origin = await answeringServer(({ head }) => {
    heads.push(head);
    return `HTTP/1.1 302 Found\r\nLocation: ${target.url}\r\nContent-Length: 0\r\n\r\n`;
  });
  const websocket = new WebSocket(origin.url, {
    auth: 'user:password',
    followRedirects: true,
    headers: { Cookie: 'session=1' }
  });
  await once(websocket, 'open');
  expect(heads[0]).toMatch(/^authorization: /im);
  expect(heads[0]).toMatch(/^cookie: /im);
  expect(heads[1]).not.toMatch(/^(authorization|cookie): /im);
  websocket.terminate();
  await Promise.all([origin.close(), target.close()]);
});
