// Topics that threads share: the same contract as on one thread.

'use strict';

const tls = require('tls');
const { once } = require('events');

const WebSocket = require('../..');
const certificate = require('../support/certificate');
const { HubThread } = require('../support/hub-worker');
const { RawPeer, describe: describeFrame, request } = require('../support/raw-peer');

let hubs = 0;
let threads = [];

function thread(options) {
  const made = new HubThread(options);
  threads.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(threads.map((one) => one.terminate()));
  threads = [];
});

/** Threads with a server and a connection each. */
async function gather(count, connections = 1) {
  const hub = `hub ${++hubs}`;
  const all = [];
  for (let index = 0; index < count; index++) {
    const one = thread({ hub });
    const port = await one.call('listen');
    const peers = [];
    for (let made = 0; made < connections; made++) {
      peers.push(await RawPeer.open(port));
      peers[made].setMaxListeners(0);
      await one.call('accepted', made + 1);
    }
    all.push({ one, peers, peer: peers[0], hub });
  }
  return all;
}

async function frames(peer, count) {
  const seen = [];
  while (seen.length < count) seen.push(describeFrame(await peer.nextFrame()));
  return seen;
}

test('a publish reaches the subscribers of all threads, and counts them', async () => {
  const all = await gather(3);
  const [a, b, c] = all;
  expect(await a.one.call('publish', 't', 'nobody')).toBe(0);
  for (const { one } of all) expect(await one.call('subscribe', 0, 't')).toBe(true);
  await b.one.call('subscribe', 0, 'only here');
  expect(await c.one.call('count', 't')).toBe(3);
  expect(await a.one.call('topics')).toEqual(['only here', 't']);
  expect(await a.one.call('publish', 't', '1')).toBe(3);
  expect(await a.one.call('publishAs', 0, 't', '2')).toBe(2);
  expect(await c.one.call('publish', 'only here', Buffer.from('3'))).toBe(1);
  expect(await c.one.call('publish', 't', '4'.repeat(100000), { compress: false })).toBe(3);
  expect(await frames(a.peer, 2)).toEqual(['1: 1', '1: 100000 bytes']);
  expect(await frames(b.peer, 4)).toEqual(['1: 1', '1: 2', '2: 3', '1: 100000 bytes']);
  expect(await frames(c.peer, 3)).toEqual(['1: 1', '1: 2', '1: 100000 bytes']);
  await b.one.call('unsubscribe', 0, 't');
  expect(await a.one.call('publish', 't', '5')).toBe(2);
  await c.one.call('close', 0);
  expect(await a.one.call('count', 't')).toBe(1);
  expect(await b.one.call('publish', 't', '6')).toBe(1);
  expect(await frames(a.peer, 2)).toEqual(['1: 5', '1: 6']);
});

test('what one thread was told before another one publishes counts', async () => {
  const [a, b] = await gather(2);
  for (let round = 0; round < 200; round++) {
    // Each answer comes before the next call, and nothing else makes a reactor run.
    await b.one.call('subscribe', 0, `t${round % 7}`);
    expect(await a.one.call('publish', `t${round % 7}`, `in ${round}`)).toBe(1);
    await b.one.call('send', 0, `sent ${round}`);
    await b.one.call('unsubscribe', 0, `t${round % 7}`);
    expect(await a.one.call('publish', `t${round % 7}`, `out ${round}`)).toBe(0);
    // The number of that topic is another's now.
    await b.one.call('subscribe', 0, 'next');
    expect(await a.one.call('publish', 'next', `next ${round}`)).toBe(1);
    await b.one.call('unsubscribe', 0, 'next');
  }
  const expected = Array.from({ length: 200 }, (_, round) => [
    `1: in ${round}`,
    `1: sent ${round}`,
    `1: next ${round}`
  ]).flat();
  const seen = await frames(b.peer, expected.length);
  // To a socket that stays with Node it is a longer way than what its own thread sends.
  if (process.env.FERROWS_TRANSPORT === 'stream') expect(seen.sort()).toEqual(expected.sort());
  else expect(seen).toEqual(expected);
});

test('every publisher keeps its order, whoever else publishes', async () => {
  const all = await gather(3, 2);
  for (const { one } of all) {
    for (const index of [0, 1]) await one.call('subscribe', index, 't');
  }
  const counts = await Promise.all(
    all.map(({ one }, index) => one.call('publishMany', 't', 500, `${index} `))
  );
  expect(counts).toEqual([3000, 3000, 3000]);
  for (const { peers } of all) {
    for (const peer of peers) {
      const seen = await frames(peer, 1500);
      for (const publisher of [0, 1, 2]) {
        const mine = seen.filter((text) => text.startsWith(`1: ${publisher} `));
        expect(mine).toEqual(Array.from({ length: 500 }, (_, at) => `1: ${publisher} ${at}`));
      }
    }
  }
});

test('it is written while the thread of the subscribers is busy', async () => {
  const [a, b] = await gather(2);
  await b.one.call('subscribe', 0, 't');
  const shared = new SharedArrayBuffer(4);
  const word = new Int32Array(shared);
  const blocked = b.one.call('block', shared);
  while (Atomics.load(word, 0) === 0) await new Promise(setImmediate);
  expect(await a.one.call('publish', 't', 'x')).toBe(1);
  if (process.env.FERROWS_TRANSPORT !== 'stream') {
    // Without that thread's JavaScript, which still waits.
    expect(await frames(b.peer, 1)).toEqual(['1: x']);
  }
  Atomics.store(word, 0, 2);
  Atomics.notify(word, 0);
  expect(await blocked).toBe('ok');
  if (process.env.FERROWS_TRANSPORT === 'stream') {
    expect(await frames(b.peer, 1)).toEqual(['1: x']);
  }
});

test('behind a Blob, fragments, and a connection that is given back to Node', async () => {
  const [a, b] = await gather(2);
  await b.one.call('subscribe', 0, 't');
  await b.one.call('fragment', 0, '1', false);
  await a.one.call('publish', 't', '3');
  await b.one.call('fragment', 0, '2', true);
  expect(await frames(b.peer, 3)).toEqual(['part 1: 1', '0: 2', '1: 3']);
  await b.one.call('sendBlob', 0, 'x'.repeat(1 << 20));
  await a.one.call('publish', 't', '4');
  expect(await frames(b.peer, 2)).toEqual(['2: 1048576 bytes', '1: 4']);
  await b.one.call('fragment', 0, '5', false);
  await a.one.call('publish', 't', '7');
  expect(await b.one.call('giveBack', 0)).toBe(true);
  await a.one.call('publish', 't', '8');
  await b.one.call('subscribe', 0, 'u');
  await a.one.call('publish', 'u', '9');
  await b.one.call('unsubscribe', 0, 't');
  expect(await a.one.call('publish', 't', 'x')).toBe(0);
  await b.one.call('fragment', 0, '6', true);
  expect(await frames(b.peer, 5)).toEqual(['part 1: 5', '0: 6', '1: 7', '1: 8', '1: 9']);
  expect(await b.one.call('count', 'u')).toBe(1);
  await b.one.call('close', 0);
  expect(await a.one.call('topics')).toEqual([]);
});

test('a thread that ends takes its subscriptions along', async () => {
  const [a, b, c] = await gather(3);
  for (const { one } of [a, b, c]) await one.call('subscribe', 0, 't');
  await b.one.call('subscribe', 0, 'b');
  await b.one.terminate();
  expect(await a.one.call('count', 't')).toBe(2);
  expect(await a.one.call('topics')).toEqual(['t']);
  expect(await a.one.call('publish', 't', 'x')).toBe(2);
  expect(await frames(c.peer, 1)).toEqual(['1: x']);
  expect(await a.one.call('publish', 'b', 'x')).toBe(0);
});

test('over TLS, and this thread takes part as others do', async () => {
  const hub = `hub ${++hubs}`;
  const cert = certificate.make();
  const one = thread({ hub, cert });
  const port = await one.call('listen');
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const peer = new RawPeer(socket);
  socket.write(request());
  await peer.headers();
  await one.call('accepted', 1);
  await one.call('subscribe', 0, 't');

  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', hub });
  const other = new WebSocket.Server({ port: 0, host: '127.0.0.1', hub });
  try {
    await Promise.all([once(wss, 'listening'), once(other, 'listening')]);
    const connected = once(other, 'connection');
    const local = await RawPeer.open(other.address().port);
    const [ws] = await connected;
    const told = [];
    other.on('subscription', (_, topic, count) => told.push([topic, count]));
    expect(ws.subscribe('t')).toBe(true);
    expect(wss.publish('t', '1')).toBe(2);
    expect(ws.publish('t', '2'.repeat(10000))).toBe(1);
    expect(wss.publish('t', '3', { except: ws })).toBe(1);
    // What the peer's own thread publishes meanwhile may come first.
    expect(await frames(peer, 3)).toEqual(['1: 1', '1: 10000 bytes', '1: 3']);
    expect(await one.call('publish', 't', '4')).toBe(2);
    expect(await frames(peer, 1)).toEqual(['1: 4']);
    expect(await frames(local, 2)).toEqual(['1: 1', '1: 4']);
    await one.call('unsubscribe', 0, 't');
    expect(wss.publish('t', '5')).toBe(1);
    ws.unsubscribe('t');
    expect(told).toEqual([
      ['t', 2],
      ['t', 0]
    ]);
    expect(wss.topics).toEqual([]);
    local.socket.destroy();
  } finally {
    for (const server of [wss, other]) {
      for (const ws of server.clients) ws.terminate();
      await new Promise((resolve) => server.close(resolve));
    }
    socket.destroy();
  }
});

test('names that no hub can have', () => {
  for (const hub of [5, {}, '', '\ud800', 'x'.repeat(65537)]) {
    expect(() => new WebSocket.Server({ port: 0, hub })).toThrow(/^The hub must/);
  }
  expect(new WebSocket.Server({ noServer: true, hub: null }).topics).toEqual([]);
});

test('a thread with subscriptions ends by itself', async () => {
  const [a, b] = await gather(2);
  await a.one.call('subscribe', 0, 't');
  await a.one.call('giveBack', 0);
  const ended = once(a.one._worker, 'exit');
  await a.one.call('end');
  const [code] = await ended;
  expect(code).toBe(0);
  expect(await b.one.call('count', 't')).toBe(0);
});
