'use strict';

// Protocols of calls and subscriptions over WebSockets.

const assert = require('assert');
const http = require('http');
const { once } = require('events');

const WebSocket = require('ws');

const { closing, listen, scenario, until } = require('./scenario');

async function serve(later, options) {
  const server = http.createServer();
  const wss = new WebSocket.Server({ server, ...options });
  later(closing(server));
  later(() => wss.clients.forEach((client) => client.terminate()));
  return { wss, url: `ws://127.0.0.1:${await listen(server)}` };
}

scenario('graphql-ws: queries, subscriptions, either side ends', ['graphql-ws'], async (later) => {
  const { buildSchema } = require('graphql');
  const { createClient } = require('graphql-ws');
  const { useServer } = require('graphql-ws/use/ws');
  const { wss, url } = await serve(later, { path: '/graphql' });
  let ended = 0;
  const schema = buildSchema(`
    type Query { hello(name: String!): String }
    type Subscription { count(to: Int!): Int, forever: Int }
  `);
  const roots = {
    query: { hello: ({ name }) => `Hello ${name}` },
    subscription: {
      async *count({ to }) {
        for (let count = 1; count <= to; count++) yield { count };
      },
      async *forever() {
        try {
          for (let forever = 0; ; forever++) {
            yield { forever };
            await new Promise((resolve) => setImmediate(resolve));
          }
        } finally {
          ended++;
        }
      }
    }
  };
  const handler = useServer({ schema, roots }, wss);
  const client = createClient({
    url: `${url}/graphql`,
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    onNonLazyError: () => {}
  });
  later(() => client.dispose());

  const results = async (query, limit = Infinity) => {
    const all = [];
    for await (const { data } of client.iterate({ query })) {
      all.push(data);
      if (all.length === limit) break;
    }
    return all.map((data) => ({ ...data }));
  };
  assert.deepEqual(await results('{ hello(name: "Ada") }'), [{ hello: 'Hello Ada' }]);
  const [three, ten] = await Promise.all([
    results('subscription { count(to: 3) }'),
    results('subscription { forever }', 10)
  ]);
  assert.deepEqual(three, [{ count: 1 }, { count: 2 }, { count: 3 }]);
  assert.deepEqual(ten[9], { forever: 9 });
  await until(() => ended === 1);

  const closed = new Promise((resolve) => client.on('closed', resolve));
  await handler.dispose();
  assert.equal((await closed).code, 1001);

  const { wss: other, url: there } = await serve(later);
  useServer({ schema, roots }, other);
  const wrong = new WebSocket(there, 'no-such-protocol');
  await assert.rejects(once(wrong, 'close'), /Server sent no subprotocol/);
});

scenario('@trpc/server: calls, errors, subscriptions, reconnecting', async (later) => {
  const { initTRPC, TRPCError } = require('@trpc/server');
  const { applyWSSHandler } = require('@trpc/server/adapters/ws');
  const { createTRPCClient, createWSClient, wsLink } = require('@trpc/client');
  const { wss, url } = await serve(later);
  const t = initTRPC.create();
  const router = t.router({
    add: t.procedure.input((value) => value).query(({ input }) => input.a + input.b),
    fail: t.procedure.mutation(() => {
      throw new TRPCError({ code: 'FORBIDDEN', message: 'not you' });
    }),
    count: t.procedure.subscription(async function* () {
      for (let count = 1; count <= 3; count++) yield count;
    })
  });
  applyWSSHandler({
    ...{ wss, router, createContext: () => ({}) },
    keepAlive: { enabled: true, pingMs: 20, pongWaitMs: 20000 }
  });
  let opened = 0;
  const client = createWSClient({
    ...{ url, WebSocket, retryDelayMs: () => 10 },
    onOpen: () => opened++
  });
  later(() => client.close());
  const trpc = createTRPCClient({ links: [wsLink({ client })] });

  assert.equal(await trpc.add.query({ a: 2, b: 3 }), 5);
  await assert.rejects(trpc.fail.mutate(), /not you/);
  const counted = await new Promise((resolve, reject) => {
    const values = [];
    trpc.count.subscribe(undefined, {
      onData: (value) => values.push(value),
      onError: reject,
      onComplete: () => resolve(values)
    });
  });
  assert.deepEqual(counted, [1, 2, 3]);

  for (const websocket of wss.clients) websocket.terminate();
  await until(() => opened === 2);
  assert.equal(await trpc.add.query({ a: 3, b: 4 }), 7);
});

scenario('rpc-websockets: calls, notifications, namespaces', async (later) => {
  const { Client, Server } = require('rpc-websockets');
  const server = new Server({ port: 0, host: '127.0.0.1' });
  later(() => server.close());
  await once(server, 'listening');
  const { port } = server.wss.address();
  server.register('sum', ([a, b]) => a + b);
  server.register('fail', () => {
    throw new Error('as asked');
  });
  server.event('news');

  const client = new Client(`ws://127.0.0.1:${port}`, { reconnect: false });
  later(() => client.close());
  await once(client, 'open');
  assert.equal(await client.call('sum', [5, 3]), 8);
  await assert.rejects(client.call('fail'), { code: -32000, data: 'as asked' });
  await client.subscribe('news');
  const heard = once(client, 'news');
  server.emit('news', 'text', { deep: [1] });
  assert.deepEqual(await heard, ['text', { deep: [1] }]);
});

scenario('@nestjs/platform-ws: gateways on two paths', ['@nestjs/core'], async (later) => {
  await import('reflect-metadata');
  const { Module } = await import('@nestjs/common');
  const { NestFactory } = await import('@nestjs/core');
  const { WsAdapter } = await import('@nestjs/platform-ws');
  const { SubscribeMessage, WebSocketGateway } = await import('@nestjs/websockets');
  const { of } = await import('rxjs');

  class Live {
    greet(client, name) {
      return { event: 'greeting', data: `Hello ${name}` };
    }

    three() {
      return of(1, 2, 3);
    }
  }
  class Other {
    greet(client, name) {
      return { event: 'other', data: name };
    }
  }
  const methods = [
    [Live, 'greet'],
    [Live, 'three'],
    [Other, 'greet']
  ];
  for (const [{ prototype }, name] of methods) {
    SubscribeMessage(name)(prototype, name, Object.getOwnPropertyDescriptor(prototype, name));
  }
  WebSocketGateway({ path: '/live' })(Live);
  WebSocketGateway({ path: '/other' })(Other);
  class App {}
  Module({ providers: [Live, Other] })(App);

  const app = await NestFactory.create(App, { logger: false });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  let open = true;
  later(() => open && app.close());
  const url = `ws://127.0.0.1:${app.getHttpServer().address().port}`;

  const live = new WebSocket(`${url}/live`);
  await once(live, 'open');
  const answers = [];
  live.on('message', (data) => answers.push(JSON.parse(data)));
  live.send(JSON.stringify({ event: 'greet', data: 'Ada' }));
  await until(() => answers.length === 1);
  live.send(JSON.stringify({ event: 'three' }));
  await until(() => answers.length === 4);
  assert.deepEqual(answers, [{ event: 'greeting', data: 'Hello Ada' }, 1, 2, 3]);
  const other = new WebSocket(`${url}/other`);
  await once(other, 'open');
  other.send(JSON.stringify({ event: 'greet', data: 'Bob' }));
  const [data] = await once(other, 'message');
  assert.deepEqual(JSON.parse(data), { event: 'other', data: 'Bob' });

  const closed = Promise.all([once(live, 'close'), once(other, 'close')]);
  open = false;
  await app.close();
  await closed;
});
