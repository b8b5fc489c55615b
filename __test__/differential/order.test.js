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
