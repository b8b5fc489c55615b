// The order between what a connection tells last and work that began before.

'use strict';

const http = require('http');
const { once } = require('events');

const { libraries } = require('../support/libraries');

const ROUNDS = 200;

async function listen(WebSocket) {
  const server = http.createServer();
  const wss = new WebSocket.Server({ server });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, wss, url: `ws://127.0.0.1:${server.address().port}` };
}

/** What a proxy hears first, so many times: the target that it opened, or the end of the source. */
async function run(WebSocket) {
  const target = await listen(WebSocket);
  const proxy = await listen(WebSocket);
  const tally = {};
  let order;
  let done;
  const note = (what, connection) => {
    order.push(what);
    if (order.length < 2) return;
    connection.close();
    done();
  };
  proxy.wss.on('connection', (source) => {
    const connection = new WebSocket(target.url);
    connection.on('open', () => note('open', connection));
    source.on('close', () => note('close', connection));
  });
  for (let round = 0; round < ROUNDS; round++) {
    order = [];
    const both = new Promise((resolve) => (done = resolve));
    const client = new WebSocket(proxy.url);
    await once(client, 'open');
    client.close();
    await both;
    const key = order.join(' ');
    tally[key] = (tally[key] || 0) + 1;
  }
  for (const { server, wss } of [target, proxy]) {
    for (const client of wss.clients) client.terminate();
    server.close();
  }
  return tally;
}

test.each(Object.keys(libraries))(
  'a source that closes does not overtake its target: %s',
  async (name) => {
    expect(await run(libraries[name])).toEqual({ 'open close': ROUNDS });
  }
);

// What workers report of two connections may come in two batches.
const { FERROWS_IO, FERROWS_TRANSPORT } = process.env;
const isOnThisThread = FERROWS_IO === 'inline' || FERROWS_TRANSPORT === 'stream';
const END = {
  'terminated one after another': (pairs) => pairs.forEach(({ peer }) => peer.terminate()),
  'terminated by their clients': (pairs) => pairs.forEach(({ client }) => client.terminate()),
  'terminated on both ends': (pairs) => {
    for (const { client, peer } of pairs) {
      peer.terminate();
      client.terminate();
    }
  }
};

/** In which order the ends of some connections hear that they are over, and what runs between. */
async function close(WebSocket, end) {
  const { server, wss, url } = await listen(WebSocket);
  const pairs = [];
  for (let index = 0; index < 3; index++) {
    const connected = once(wss, 'connection');
    const client = new WebSocket(url);
    client.on('error', () => {});
    const [peer] = await connected;
    if (client.readyState !== WebSocket.OPEN) await once(client, 'open');
    pairs.push({ client, peer });
  }
  const order = [];
  const over = pairs.flatMap(({ client, peer }, index) =>
    Object.entries({ client, peer }).map(([name, websocket]) => {
      return new Promise((resolve) => {
        websocket.on('close', () => {
          order.push(`${name} ${index}`);
          queueMicrotask(() => order.push(`then ${name} ${index}`));
          process.nextTick(resolve);
        });
      });
    })
  );
  end(pairs);
  await Promise.all(over);
  server.close();
  return order;
}

if (isOnThisThread) {
  test.each(Object.entries(END))(
    'connections that are %s (in order, where I/O is on this thread)',
    async (name, end) => {
      const expected = await close(libraries.ws, end);
      expect(await close(libraries.ferrows, end)).toEqual(expected);
    }
  );
}

test.each(Object.entries(END))('each connection hears of it once: %s', async (name, end) => {
  const order = await close(libraries.ferrows, end);
  expect(order.sort()).toEqual((await close(libraries.ws, end)).sort());
});
