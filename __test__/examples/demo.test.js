// The demo's server and what people copy from the examples: nothing that a client
// sends ends them.

'use strict';

const http = require('http');
const net = require('net');
const path = require('path');
const { spawn } = require('child_process');
const { once } = require('events');

const WebSocket = require('../..');
const settings = require('../../examples/demo/settings');

const EXAMPLES = path.join(__dirname, '..', '..', 'examples');

jest.setTimeout(60000);

function start(file, ...args) {
  return spawn(process.execPath, [path.join(EXAMPLES, file), ...args], {
    stdio: ['ignore', 'pipe', 'pipe']
  });
}

/** What a process prints until it ends, and its exit code. */
async function ended(child) {
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (out += data));
  const [code] = await once(child, 'close');
  return { code, out };
}

/** Everything that comes back for these bytes. */
async function raw(port, bytes) {
  const socket = net.connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (data) => (answer += data.toString('latin1')));
  // A refusal may meet bytes that were still on their way.
  socket.on('error', () => {});
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

const upgradeTo = (target, headers = '') =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;

const ODD_TARGETS = [
  '//',
  '*',
  '/%',
  '/%00',
  '/..',
  'http://[',
  '/chat/%2e',
  '/constructor',
  '/__proto__'
];

describe('the demo', () => {
  let demo;
  let port;

  beforeAll(async () => {
    demo = start('demo/server.js', '--port', '0', '--host', '127.0.0.1');
    demo.stderr.pipe(process.stderr);
    const [line] = await once(demo.stdout, 'data');
    port = Number(/:(\d+)\s/.exec(line)[1]);
  });

  afterAll(() => demo.kill('SIGKILL'));

  /** A WebSocket, its first message, and what returns the next one, both parsed. */
  async function open(target) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${target}`);
    // Several may come at once.
    const messages = [];
    ws.on('message', (data) => {
      messages.push(data);
      ws.emit('queued');
    });
    const next = async () => {
      while (messages.length === 0) await once(ws, 'queued');
      return JSON.parse(messages.shift());
    };
    if (target === '/echo') await once(ws, 'open');
    return { first: target === '/echo' ? null : await next(), next, ws };
  }

  /** Waits for an entry of the chat. */
  async function until(next, matches) {
    for (;;) {
      const found = (await next()).entries.find(matches);
      if (found !== undefined) return found;
    }
  }

  async function get(target, method = 'GET') {
    const request = http.request({ host: '127.0.0.1', method, path: target, port }).end();
    const [response] = await once(request, 'response');
    let body = '';
    for await (const part of response) body += part;
    return { body, headers: response.headers, status: response.statusCode };
  }

  test('serves every file that the page names, with queries and for HEAD, too', async () => {
    const page = await get('/');
    expect(page.status).toBe(200);
    const names = [...page.body.matchAll(/(?:src|href)="([a-z.]+)"/g)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(3);
    for (const name of [...names, 'chart.js']) {
      const file = await get(`/${name}?v=1`);
      expect([name, file.status]).toEqual([name, 200]);
      const head = await get(`/${name}`, 'HEAD');
      expect(head.status).toBe(200);
      expect(head.body).toBe('');
      expect(head.headers['content-length']).toBe(file.headers['content-length']);
    }
    expect((await get('/?x=//y')).status).toBe(200);
    expect((await get('/nothing')).status).toBe(404);
    expect((await get('/', 'POST')).status).toBe(405);
  });

  test('survives any target', async () => {
    for (const target of ODD_TARGETS) {
      const plain = await raw(
        port,
        `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
      );
      expect([target, plain.slice(0, 12)]).toEqual([target, 'HTTP/1.1 404']);
      const upgrade = await raw(port, upgradeTo(target));
      expect([target, upgrade.slice(0, 12)]).toEqual([target, 'HTTP/1.1 404']);
    }
    expect((await get('/')).status).toBe(200);
  });

  test('refuses WebSockets that other sites open', async () => {
    for (const origin of ['http://elsewhere.example', 'null', '//']) {
      const answer = await raw(port, upgradeTo('/chat', `Origin: ${origin}\r\n`));
      expect(answer.slice(0, 12)).toBe('HTTP/1.1 403');
    }
  });

  test('survives any message', async () => {
    const messages = [
      'null',
      '[]',
      '0',
      '"',
      '{',
      '{"name":{}}',
      '{"text":null}',
      '{"start":"__proto__"}',
      ''
    ];
    for (const target of ['/chat', '/comparison', '/echo']) {
      const { ws } = await open(target);
      for (const message of messages) ws.send(message);
      ws.send(Buffer.from([0xff, 0xfe]));
      ws.close();
      await once(ws, 'close');
      const large = await open(target);
      large.ws.on('error', () => {});
      large.ws.send(Buffer.alloc(70000));
      const [code] = await once(large.ws, 'close');
      expect(code).toBe(1009);
    }
  });

  test('chats, and keeps what was said', async () => {
    const ann = await open('/chat');
    ann.ws.send('{"name":"Ann\\u202e\\n"}');
    await until(ann.next, ({ note }) => note === 'Ann joined');
    ann.ws.send('{"text":"hello"}');
    const said = { name: 'Ann', text: 'hello' };
    expect(await until(ann.next, ({ text }) => text !== undefined)).toEqual(said);
    const bob = await open('/chat?room=lobby');
    expect(bob.first).toMatchObject({ begins: true, room: 'lobby' });
    expect(bob.first.entries.slice(-1)).toEqual([said]);
    for (const { ws } of [ann, bob]) ws.terminate();
  });

  test('keeps rooms apart', async () => {
    const [one, other] = [await open('/chat?room=one'), await open('/chat?room=%20other%20')];
    expect([one.first, other.first].map(({ room, people }) => [room, people])).toEqual([
      ['one', 1],
      ['other', 1]
    ]);
    for (const { next, ws } of [one, other]) {
      ws.send('{"name":"Ann"}');
      await until(next, ({ note }) => note === 'Ann joined');
    }
    one.ws.send('{"text":"to one"}');
    await until(one.next, ({ text }) => text === 'to one');
    other.ws.send('{"text":"to other"}');
    expect((await until(other.next, ({ text }) => text !== undefined)).text).toBe('to other');
    for (const odd of ['', '%', '%00', '%ff', '&room=x', '='.repeat(5000)]) {
      const { first, ws } = await open(`/chat?room=${odd}`);
      expect([...first.room].length).toBeLessThanOrEqual(24);
      expect(first.room).not.toBe('');
      ws.terminate();
    }
    for (const { ws } of [one, other]) ws.terminate();
  });

  test('compares, once at a time, for everybody who looks', async () => {
    const [one, two] = [await open('/comparison'), await open('/comparison')];
    expect(one.first).toMatchObject({ obstacle: null, running: null });
    const seen = [];
    const over = new Promise((resolve) => {
      two.ws.on('message', (data) => {
        const event = JSON.parse(data);
        seen.push(event);
        if (event.end) resolve();
      });
    });
    one.ws.send('{"start":"saturation"}');
    one.ws.send('{"start":"everyday"}');
    await over;
    expect(seen[0]).toEqual({ begin: 'saturation' });
    expect(seen[seen.length - 1]).toEqual({ end: 'saturation', error: null });
    expect(seen.filter(({ begin }) => begin)).toHaveLength(1);
    const results = seen.filter(({ result }) => result);
    expect(results.map(({ library }) => library)).toEqual(['ws', 'ferrows']);
    for (const { result } of results) {
      for (const key of ['rate', 'p50', 'p99', 'cpu', 'cpuEach'])
        expect(result[key]).toBeGreaterThan(0);
    }
    const ours = seen.filter(({ library, sample }) => library === 'ferrows' && sample);
    for (const { sample } of ours) expect(['js', 'worker', 'both']).toContain(sample.driver);
    for (const { ws } of [one, two]) ws.terminate();
  });

  test('ends cleanly in the middle of a comparison', async () => {
    const { next, ws } = await open('/comparison');
    ws.send('{"start":"everyday"}');
    await next();
    const exit = once(demo, 'exit');
    demo.kill('SIGTERM');
    const [code] = await once(ws, 'close');
    expect(code).toBe(1001);
    expect((await exit)[0]).toBe(0);
  });
});

test('what cannot be a port or a host is one line', async () => {
  for (const args of [
    ['--port', 'x'],
    ['--port', '65536'],
    ['--port'],
    ['8080'],
    ['--host', '999.1.1.1']
  ]) {
    const { code, out } = await ended(start('demo/server.js', ...args));
    expect([args, code]).toEqual([args, 1]);
    expect(out.trim().split('\n')).toHaveLength(1);
  }
});

test('a port that is taken is one line', async () => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const port = String(other.address().port);
  const { code, out } = await ended(start('demo/server.js', '--host', '127.0.0.1', '--port', port));
  expect(code).toBe(1);
  expect(out).toMatch(/^Port \d+ is taken.*\n$/);
  other.close();
});

test('only localhost is served unless something else is asked for', () => {
  expect(settings([], {})).toEqual({ host: 'localhost', port: 8080 });
  expect(settings([], { HOST: '::', PORT: '0' })).toEqual({ host: '::', port: 0 });
  expect(settings(['--port', '1', '--host', 'a'], { PORT: '2' })).toEqual({ host: 'a', port: 1 });
});

test('servers-by-path.js survives any target', async () => {
  const free = net.createServer().listen(0);
  await once(free, 'listening');
  const { port } = free.address();
  free.close();
  const child = start('servers-by-path.js', String(port));
  let ws;
  do {
    ws = new WebSocket(`ws://127.0.0.1:${port}/foo?x`);
    ws.on('error', () => {});
    await new Promise((resolve) =>
      ['message', 'close'].forEach((event) => ws.once(event, resolve))
    );
  } while (ws.readyState !== WebSocket.OPEN && child.exitCode === null);
  for (const target of ODD_TARGETS) {
    expect((await raw(port, upgradeTo(target))).slice(0, 12)).toBe('HTTP/1.1 404');
  }
  const other = new WebSocket(`ws://127.0.0.1:${port}/bar`);
  expect(String((await once(other, 'message'))[0])).toBe('this is /bar');
  expect(child.exitCode).toBeNull();
  for (const one of [ws, other]) one.terminate();
  child.kill('SIGKILL');
});
