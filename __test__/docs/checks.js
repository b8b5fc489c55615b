// What the named programs of the documentation must do: CHECKS[name].check gets
// the running program (program.js). `replaced` shortens what would take long,
// `needs` names packages that the check requires.

'use strict';

const assert = require('assert');
const { once } = require('events');

const WebSocket = require('../..');

/** A client that keeps what arrives, so that nothing is missed. */
function connect(port, path = '', options = {}) {
  const { scheme = 'ws', protocols = [], ...rest } = options;
  const client = new WebSocket(`${scheme}://localhost:${port}${path}`, protocols, rest);
  const arrived = [];
  const waiting = [];
  client.on('message', (data, isBinary) => {
    const message = isBinary ? data : data.toString();
    if (waiting.length > 0) waiting.shift()(message);
    else arrived.push(message);
  });
  client.next = () =>
    arrived.length > 0
      ? Promise.resolve(arrived.shift())
      : new Promise((resolve) => waiting.push(resolve));
  client.opened = once(client, 'open').then(() => client);
  client.opened.catch(() => {});
  return client;
}

async function echoes(port, path, options) {
  const client = await connect(port, path, options).opened;
  client.send('text');
  assert.strictEqual(await client.next(), 'text');
  client.send(Buffer.from([1, 2, 3]));
  assert.deepStrictEqual(await client.next(), Buffer.from([1, 2, 3]));
  client.close();
  await once(client, 'close');
}

async function refused(port, path, options, status) {
  const client = connect(port, path, options);
  const [error] = await once(client, 'error');
  assert.strictEqual(error.message, `Unexpected server response: ${status}`);
}

async function get(port, path = '/') {
  const response = await fetch(`http://localhost:${port}${path}`);
  return { status: response.status, text: await response.text() };
}

/** A heartbeat: who does not answer is terminated. */
async function notices({ port }) {
  const alive = await connect(port).opened;
  const dead = await connect(port, '', { autoPong: false }).opened;
  let pings = 0;
  alive.on('ping', () => pings++);
  const [code] = await once(dead, 'close');
  assert.strictEqual(code, 1006);
  // The other one stays over two more rounds.
  while (pings < 3) await once(alive, 'ping');
  assert.strictEqual(alive.readyState, WebSocket.OPEN);
  alive.close();
}

/** What is said in a room is heard there by all others, as it was said. */
const rooms = {
  async check({ port }) {
    const [a, b, elsewhere] = await Promise.all([
      connect(port, '/one').opened,
      connect(port, '/one').opened,
      connect(port, '/other').opened
    ]);
    elsewhere.send('is anybody here?');
    a.send('text');
    a.send(Buffer.from([1, 2, 3]));
    assert.strictEqual(await b.next(), 'text');
    assert.deepStrictEqual(await b.next(), Buffer.from([1, 2, 3]));
    b.send('answer');
    // The first that it hears: not what it said itself.
    assert.strictEqual(await a.next(), 'answer');
    const late = await connect(port, '/other').opened;
    late.send('hello');
    assert.strictEqual(await elsewhere.next(), 'hello');
    for (const client of [a, b, elsewhere, late]) client.close();
  }
};

/** A framework: HTTP answers, and /live echoes. */
const framework = {
  async check({ port }) {
    assert.strictEqual((await get(port)).text, 'plain HTTP');
    await echoes(port, '/live');
    await refused(port, '/dead', {}, 400);
  }
};

const CHECKS = {
  echo: {
    async check({ port }) {
      const client = await connect(port).opened;
      assert.strictEqual(await client.next(), 'something');
      client.send('text');
      assert.strictEqual(await client.next(), 'text');
      client.close();
    }
  },

  topics: {
    async check({ port }) {
      const [a, b, other] = await Promise.all([
        connect(port, '/?room=one').opened,
        connect(port, '/?room=one').opened,
        connect(port).opened
      ]);
      a.send('hello');
      assert.strictEqual(await b.next(), 'hello');
      a.close();
      assert.strictEqual(await b.next(), 'somebody left');
      b.send('is anybody here?');
      other.send('x');
      b.close();
      other.close();
      await Promise.all([once(b, 'close'), once(other, 'close')]);
    }
  },

  'rooms-by-loop': rooms,
  'rooms-by-topic': rooms,

  express: framework,
  fastify: framework,
  koa: framework,

  'fastify-websocket': {
    async check({ port }) {
      await echoes(port, '/live');
    }
  },

  nest: {
    async check({ port }) {
      const client = await connect(port, '/live').opened;
      client.send(JSON.stringify({ event: 'greet', data: 'Ada' }));
      assert.deepStrictEqual(JSON.parse(await client.next()), {
        event: 'greeting',
        data: 'Hello Ada'
      });
      client.close();
    }
  },

  'socket.io': {
    needs: ['socket.io-client'],
    async check({ port, requireLike }) {
      const { io } = requireLike('socket.io-client');
      const sockets = ['polling', 'websocket'].map((transport) =>
        io(`http://localhost:${port}`, { transports: [transport, 'websocket'], forceNew: true })
      );
      try {
        await Promise.all(
          sockets.map((socket) => new Promise((done) => socket.on('connect', done)))
        );
        const data = await sockets[1].emitWithAck('echo', Buffer.from('bytes'));
        assert.deepStrictEqual(Buffer.from(data), Buffer.from('bytes'));
        const heard = sockets.map((socket) => new Promise((done) => socket.on('shout', done)));
        sockets[0].emit('shout', 'hey');
        assert.deepStrictEqual(await Promise.all(heard), ['hey', 'hey']);
      } finally {
        for (const socket of sockets) socket.close();
      }
    }
  },

  'graphql-ws': {
    async check({ port, requireLike }) {
      const { createClient } = requireLike('graphql-ws');
      const url = `ws://localhost:${port}/graphql`;
      const client = createClient({ url, webSocketImpl: WebSocket });
      const counts = [];
      const query = 'subscription { count(to: 3) }';
      for await (const { data } of client.iterate({ query })) counts.push(data.count);
      assert.deepStrictEqual(counts, [1, 2, 3]);
      for await (const { data } of client.iterate({ query: '{ hello }' })) {
        assert.strictEqual(data.hello, 'world');
      }
      await client.dispose();
    }
  },

  trpc: {
    needs: ['@trpc/client'],
    async check({ port, requireLike, child, ended }) {
      const { createTRPCClient, createWSClient, wsLink } = requireLike('@trpc/client');
      const url = `ws://localhost:${port}`;
      const socket = createWSClient({ url, WebSocket, retryDelayMs: () => 1e6 });
      const client = createTRPCClient({ links: [wsLink({ client: socket })] });
      assert.strictEqual(await client.hello.query(), 'world');
      const counts = [];
      await new Promise((resolve, reject) => {
        client.count.subscribe(undefined, {
          onData: (data) => counts.push(data),
          onComplete: resolve,
          onError: reject
        });
      });
      assert.deepStrictEqual(counts, [1, 2, 3]);
      await socket.close();
      child.kill('SIGTERM');
      assert.strictEqual((await ended).status, 0);
    }
  },

  yjs: {
    needs: ['yjs', 'y-websocket'],
    async check({ port, requireLike }) {
      const { Doc } = requireLike('yjs');
      const { WebsocketProvider } = requireLike('y-websocket');
      const [first, second] = [new Doc(), new Doc()];
      const providers = [first, second].map(
        (doc) =>
          new WebsocketProvider(`ws://localhost:${port}`, 'notes', doc, {
            WebSocketPolyfill: WebSocket,
            disableBc: true
          })
      );
      try {
        first.getText('t').insert(0, 'from the first');
        second.getArray('a').push(['from the second']);
        while (
          second.getText('t').toString() !== 'from the first' ||
          first.getArray('a').get(0) !== 'from the second'
        ) {
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      } finally {
        for (const provider of providers) provider.destroy();
        for (const doc of [first, second]) doc.destroy();
      }
    }
  },

  authentication: {
    async check({ port }) {
      await refused(port, '/', {}, 401);
      await refused(port, '/', { headers: { authorization: 'Bearer guess' } }, 401);
      const headers = { authorization: 'Bearer secret' };
      const client = connect(port, '/', { headers });
      assert.strictEqual(await client.next(), 'Hello Ada');
      client.close();
    }
  },

  'several-paths': {
    async check({ port }) {
      for (const path of ['/chat', '/news']) {
        const client = connect(port, `${path}?x=1`);
        assert.strictEqual(await client.next(), `This is ${path}`);
        client.close();
      }
      await refused(port, '/other', {}, 404);
    }
  },

  heartbeat: {
    replaced: { '30_000': 200 },
    check: notices
  },

  broadcast: {
    async check({ port }) {
      const clients = await Promise.all([1, 2, 3].map(() => connect(port).opened));
      clients[0].send('to all');
      clients[1].send(Buffer.from('others'));
      assert.strictEqual(await clients[1].next(), 'to all');
      assert.deepStrictEqual(await clients[0].next(), Buffer.from('others'));
      const both = [await clients[2].next(), await clients[2].next()].map(String).sort();
      assert.deepStrictEqual(both, ['others', 'to all']);
      for (const client of clients) client.close();
    }
  },

  'all-limits': {
    async check({ port }) {
      await echoes(port);
      const large = await connect(port).opened;
      large.send(Buffer.alloc(70_000));
      assert.strictEqual((await once(large, 'close'))[0], 1009);
      const greedy = await connect(port).opened;
      for (let count = 0; count < 300; count++) greedy.send('x');
      for (let count = 0; count < 300; count++) assert.strictEqual(await greedy.next(), 'x');
      greedy.close();
    }
  },

  'heartbeat-option': {
    replaced: { 25000: 200, 20000: 200 },
    check: notices
  },

  'max-connections': {
    replaced: { 10000: 2 },
    async check({ port }) {
      const [first, second] = await Promise.all([connect(port).opened, connect(port).opened]);
      await refused(port, '', {}, 503);
      first.close();
      await once(first, 'close');
      // The server hears of the end about when the client does.
      let third;
      do {
        third = connect(port);
        await Promise.race([third.opened.catch(() => {}), once(third, 'error')]);
      } while (third.readyState !== WebSocket.OPEN);
      assert.strictEqual(await third.next(), 'Welcome');
      await refused(port, '', {}, 503);
      for (const client of [second, third]) client.close();
    }
  },

  drain: {
    replaced: { 20000: 100, 10000: 500 },
    async check({ port, child, ended }) {
      const client = await connect(port).opened;
      const stuck = await connect(port).opened;
      stuck.pause();
      const closed = once(client, 'close');
      child.kill('SIGTERM');
      const [code, reason] = await closed;
      assert.deepStrictEqual([code, String(reason)], [1001, 'restarting']);
      assert.deepStrictEqual(await ended, {
        status: 0,
        signal: null,
        output: '1 closed, 1 terminated\n'
      });
      stuck.resume();
    }
  },

  'inbound-limit': {
    async check({ port, child, ended }) {
      const modest = await connect(port).opened;
      const greedy = await connect(port).opened;
      for (let count = 0; count < 5000; count++) greedy.send('more');
      const [code] = await once(greedy, 'close');
      assert.strictEqual(code, 1008);
      for (let count = 0; count < 50; count++) modest.send(String(count));
      for (let count = 0; count < 50; count++) {
        assert.strictEqual(await modest.next(), String(count));
      }
      child.kill();
      assert.strictEqual((await ended).output, 'FERROWS_ERR_INBOUND_LIMIT\n');
    }
  },

  'max-in-flight': {
    async check({ port }) {
      const client = await connect(port).opened;
      for (let count = 0; count < 200; count++) client.send(String(count));
      const most = [];
      for (let count = 0; count < 200; count++) {
        const [, question, running] = /^(\d+): one of (\d+)$/.exec(await client.next());
        assert.strictEqual(Number(question), count);
        most.push(Number(running));
      }
      assert.strictEqual(Math.max(...most), 16);
      client.close();
    }
  },

  'max-backpressure': {
    // A peer that reads nothing loses messages, and is served again when it reads.
    async check({ port, child }) {
      let output = '';
      child.stdout.on('data', (data) => (output += data));
      const stalled = await connect(port).opened;
      stalled.pause();
      while (!/^\d+ messages, \d+ bytes$/m.test(output)) await once(child.stdout, 'data');
      const [, messages, bytes] = /^(\d+) messages, (\d+) bytes$/m.exec(output);
      assert.strictEqual(Number(bytes), Number(messages) * 65536);
      stalled.resume();
      // More than what can have waited.
      for (let count = 0; count < 200; count++) {
        assert.strictEqual((await stalled.next()).length, 65536);
      }
      assert.strictEqual(stalled.readyState, WebSocket.OPEN);
      stalled.close();
    }
  },

  'topic-policy': {
    // The limits themselves: __test__/operations/topic-policy.test.js.
    async check({ port }) {
      const client = await connect(port).opened;
      for (let count = 0; count < 3; count++) {
        assert.ok(Number(String(await client.next())) < 1);
      }
      client.close();
    }
  },

  'client-address': {
    async check({ port }) {
      const headers = { 'X-Forwarded-For': '203.0.113.9, 198.51.100.7' };
      assert.strictEqual(await connect(port, '', { headers }).next(), '198.51.100.7');
      assert.match(await connect(port).next(), /^(::ffff:)?127\.0\.0\.1$/);
    }
  },

  typescript: {
    async check({ port }) {
      const client = connect(port, '/path?query');
      assert.strictEqual(await client.next(), '/path?query');
      client.send('back');
      assert.strictEqual(await client.next(), 'back');
      client.close();
    }
  },

  tls: {
    async check({ port }) {
      await echoes(port, '', { scheme: 'wss', rejectUnauthorized: false });
    }
  },

  // There is no engine: what concerns this process works as ever (others: __test__/backbone).
  backbone: {
    replaced: { 'localhost:6379': '127.0.0.1:1' },
    async check({ port }) {
      const [one, other] = [connect(port, '/?room=a'), connect(port, '/?room=a')];
      await one.opened;
      await other.opened;
      one.send('hello');
      assert.strictEqual(String(await other.next()), 'hello');
      one.close();
      other.close();
    }
  },

  // The same: nobody knows what was missed.
  history: {
    replaced: { 'localhost:6379': '127.0.0.1:1' },
    async check({ port }) {
      const client = connect(port, '/?since=1-1');
      await client.opened;
      assert.strictEqual(String(await client.next()), '{"type":"reload"}');
      const other = connect(port, '/');
      await other.opened;
      other.send('hello');
      assert.strictEqual(String(await client.next()), '{"text":"hello"}');
      client.close();
      other.close();
    }
  },

  backpressure: {
    // A peer that reads nothing must not take more than what is allowed.
    async check({ port }) {
      const reader = connect(port);
      const stalled = await connect(port).opened;
      stalled.pause();
      const ended = new Promise((resolve) => stalled.on('close', (code) => resolve(code)));
      // The reader goes on while the other one is dropped.
      for (let count = 0; count < 20; count++) await reader.next();
      for (;;) {
        const { text } = await get(port, '/');
        if (JSON.parse(text).dropped === 1) break;
        await reader.next();
      }
      stalled.resume();
      await ended;
      assert.strictEqual(reader.readyState, WebSocket.OPEN);
      reader.close();
    }
  },

  graceful: {
    replaced: { '20_000': 100 },
    async check({ port, child, ended }) {
      const client = await connect(port).opened;
      const reader = await connect(port).opened;
      assert.deepStrictEqual(await get(port), { status: 200, text: 'ready' });
      // It answers the close frame when it reads it.
      reader.pause();
      const closed = once(client, 'close');
      child.kill('SIGTERM');
      const [code, reason] = await closed;
      assert.deepStrictEqual([code, String(reason)], [1001, 'restarting']);
      assert.deepStrictEqual(await get(port), { status: 503, text: 'draining' });
      await refused(port, '', {}, 503);
      reader.resume();
      assert.deepStrictEqual(await ended, {
        status: 0,
        signal: null,
        output: '2 closed, 0 terminated\n'
      });
    }
  },

  shutdown: {
    replaced: { '10_000': 300 },
    async check({ port, child, ended }) {
      const client = await connect(port).opened;
      const stuck = await connect(port).opened;
      stuck.pause();
      const closed = once(client, 'close');
      child.kill('SIGTERM');
      const [code] = await closed;
      assert.strictEqual(code, 1001);
      assert.deepStrictEqual(await ended, { status: 0, signal: null, output: '' });
      stuck.resume();
    }
  },

  metrics: {
    async check({ port }) {
      const client = await connect(port).opened;
      client.send('12345');
      let text;
      do ({ text } = await get(port, '/metrics'));
      while (!/^ferrows_received_bytes_total 5$/m.test(text));
      assert.match(text, /^ferrows_connections 1$/m);
      assert.match(text, /^ferrows_turn_seconds_bucket\{.*le="\+Inf"\} \d+$/m);
      client.close();
    }
  },

  'metrics-object': {
    async check({ port }) {
      const client = await connect(port).opened;
      client.send('12345');
      const { connections, received, topics } = JSON.parse(String(await client.next()));
      assert.strictEqual(connections.current, 1);
      assert.deepStrictEqual([received.messages, received.bytes], [1, 5]);
      assert.strictEqual(topics.subscriptions, 1);
      client.close();
    }
  },

  'prom-client': {
    async check({ port }) {
      const client = await connect(port).opened;
      const { text } = await get(port, '/metrics');
      assert.match(text, /^ferrows_connections\{server="chat"\} 1$/m);
      assert.match(text, /^process_cpu_seconds_total [\d.]+$/m);
      client.close();
    }
  }
};

module.exports = { CHECKS };
