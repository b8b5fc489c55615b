'use strict';

const http = require('http');
const os = require('os');
const path = require('path');
const { once } = require('events');

const ws = require('ws');

const WebSocket = require('../..');

const UPGRADES = 2000;
const AT_ONCE = 50;

/** Runs `job(index)` for every index, so many at a time. */
async function inParallel(count, atOnce, job) {
  let next = 0;
  const worker = async () => {
    while (next < count) await job(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

test('2 000 upgrades are taken over while the same server answers plain requests', async () => {
  const server = http.createServer((request, response) => response.end(request.url));
  const wss = new WebSocket.Server({ server });
  wss.on('connection', (websocket, { url }) => websocket.send(url));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });

  const plain = (index) =>
    new Promise((resolve, reject) => {
      http
        .get({ port, agent, host: '127.0.0.1', path: `/p${index}` }, (response) => {
          let text = '';
          response.on('data', (data) => (text += data));
          response.on('end', () => resolve(text));
        })
        .on('error', reject);
    });
  const upgrade = async (index) => {
    const client = new ws(`ws://127.0.0.1:${port}/u${index}`);
    const [data] = await once(client, 'message');
    client.close();
    await once(client, 'close');
    return data.toString();
  };

  const right = { plain: 0, upgrade: 0 };
  await Promise.all([
    inParallel(UPGRADES, AT_ONCE, async (index) => {
      if ((await upgrade(index)) === `/u${index}`) right.upgrade++;
    }),
    inParallel(UPGRADES, AT_ONCE, async (index) => {
      if ((await plain(index)) === `/p${index}`) right.plain++;
    })
  ]);
  expect(right).toEqual({ plain: UPGRADES, upgrade: UPGRADES });
  // Their ends may reach us a moment after the peers'.
  while (wss.clients.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  agent.destroy();
  await new Promise((resolve) => server.close(resolve));
  const count = await new Promise((resolve) => server.getConnections((_, n) => resolve(n)));
  expect(count).toBe(0);
});

const pairs = [
  ['a ws client and our server', ws, WebSocket],
  ['our client and a ws server', WebSocket, ws],
  ['our client and our server', WebSocket, WebSocket]
];

describe.each(pairs)('%s', (title, Client, Library) => {
  let wss;
  let url;

  beforeEach(async () => {
    wss = new Library.Server({ port: 0, handleProtocols: (names) => [...names].pop() });
    await once(wss, 'listening');
    url = `ws://127.0.0.1:${wss.address().port}/path?query`;
  });

  afterEach(async () => {
    for (const client of wss.clients) client.terminate();
    await new Promise((resolve) => wss.close(resolve));
  });

  test('exchange text, bytes, fragments and pings, and agree on the close', async () => {
    wss.on('connection', (websocket) => {
      websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
    });
    const client = new Client(url, ['one', 'two'], { headers: { 'X-Test': 'yes' } });
    const connection = once(wss, 'connection');
    await once(client, 'open');
    const [websocket, request] = await connection;
    expect([request.url, request.headers['x-test']]).toEqual(['/path?query', 'yes']);
    expect([client.protocol, websocket.protocol]).toEqual(['two', 'two']);

    const got = [];
    const all = new Promise((resolve) => {
      client.on('message', (data, isBinary) => {
        got.push([isBinary, data.toString('latin1')]);
        if (got.length === 4) resolve();
      });
    });
    client.send('κόσμε');
    client.send(Buffer.from([0, 255, 1]));
    client.send('frag', { fin: false });
    client.ping('between');
    client.send('ment');
    client.send('');
    await Promise.all([all, once(client, 'pong')]);
    expect(got).toEqual([
      [false, Buffer.from('κόσμε').toString('latin1')],
      [true, '\x00\xff\x01'],
      [false, 'fragment'],
      [false, '']
    ]);

    const closed = once(websocket, 'close');
    client.close(3001, 'enough');
    const [code, reason] = await once(client, 'close');
    expect([code, reason.toString()]).toEqual([3001, 'enough']);
    const [seen, why] = await closed;
    expect([seen, why.toString()]).toEqual([3001, 'enough']);
  });

  test.each([65536, 1 << 20, 100 << 20])('exchange %d bytes', async (size) => {
    wss.on('connection', (websocket) => {
      websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
    });
    const client = new Client(url, { protocols: ['one'] });
    await once(client, 'open');
    const data = Buffer.alloc(size, 'ferrows!');
    data.writeUInt32BE(size, size - 4);
    client.send(data);
    const [echo] = await once(client, 'message');
    expect(data.equals(echo)).toBe(true);
    client.terminate();
    await once(client, 'close');
  });
});

test('Unix sockets work in both directions', async () => {
  const file = path.join(os.tmpdir(), `ferrows-${process.pid}.sock`);
  const server = http.createServer().listen(file);
  const wss = new WebSocket.Server({ server });
  await once(server, 'listening');
  expect(wss.address()).toBe(file);
  wss.on('connection', (websocket, { url }) => websocket.send(url));
  const client = new WebSocket(`ws+unix://${file}:/here`);
  const [data] = await once(client, 'message');
  expect(data.toString()).toBe('/here');
  client.close();
  await once(client, 'close');
  await new Promise((resolve) => server.close(resolve));
});
