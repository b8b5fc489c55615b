'use strict';

// Middleware of HTTP frameworks that turns requests into WebSockets.

const assert = require('assert');
const http = require('http');
const { once } = require('events');

const WebSocket = require('ws');

const { closing, listen, next, scenario } = require('./scenario');

const BYTES = Buffer.from([0, 1, 2, 255]);

/** Sends a text and bytes and expects them back, then closes with a code that must come back. */
async function expectEcho(client) {
  if (client.readyState === WebSocket.CONNECTING) await once(client, 'open');
  const messages = next(client, 2);
  client.send('text');
  client.send(BYTES);
  assert.deepEqual(await messages, ['text', BYTES]);
  const closed = once(client, 'close');
  client.close(4001, 'enough');
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [4001, 'enough']);
}

async function expectRefusal(url, status) {
  const client = new WebSocket(url);
  const [request, response] = await once(client, 'unexpected-response');
  assert.equal(response.statusCode, status);
  request.destroy();
}

const echo = (websocket) =>
  websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));

scenario('@fastify/websocket: routes, hooks, shutdown', ['fastify'], async (later) => {
  const fastify = require('fastify')();
  later(() => fastify.close());
  await fastify.register(require('@fastify/websocket'), { options: { maxPayload: 1 << 20 } });
  fastify.addHook('preValidation', async (request, reply) => {
    if (request.headers.authorization === 'no') await reply.code(401).send('no');
  });
  fastify.get('/live', { websocket: true }, echo);
  fastify.get('/both', {
    handler: (request, reply) => reply.send('http'),
    wsHandler: (websocket, request) => websocket.send(`hello ${request.query.name}`)
  });
  await fastify.listen({ port: 0, host: '127.0.0.1' });
  const { port } = fastify.server.address();
  const url = `ws://127.0.0.1:${port}`;

  await expectEcho(new WebSocket(`${url}/live`));
  const refused = new WebSocket(`${url}/live`, { headers: { authorization: 'no' } });
  const [request, response] = await once(refused, 'unexpected-response');
  assert.equal(response.statusCode, 401);
  request.destroy();
  const both = new WebSocket(`${url}/both?name=Ada`);
  assert.deepEqual(await next(both), ['hello Ada']);
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/both`)).text(), 'http');
  assert.equal(fastify.websocketServer.clients.size, 1);

  const closed = once(both, 'close');
  await fastify.close();
  const [code] = await closed;
  assert.equal(code, 1005);
});

scenario('@fastify/websocket: injectWS', ['fastify'], async (later) => {
  const fastify = require('fastify')();
  later(() => fastify.close());
  await fastify.register(require('@fastify/websocket'));
  fastify.get('/live', { websocket: true }, echo);
  fastify.get('/greets', { websocket: true }, (websocket) => {
    echo(websocket);
    websocket.send('at once');
  });
  await fastify.ready();
  // Its streams have no end, which a WebSocket that is closing waits 30 seconds for.
  later(() => fastify.websocketServer.clients.forEach((client) => client.terminate()));

  await expectEcho(await fastify.injectWS('/live'));
  let first;
  const greeted = await fastify.injectWS(
    '/greets',
    {},
    {
      onInit: (websocket) => (first = next(websocket))
    }
  );
  assert.deepEqual(await first, ['at once']);
  await expectEcho(greeted);
  await assert.rejects(fastify.injectWS('/nowhere'), /Unexpected server response: 404/);
});

scenario('express-ws: routes, middleware, broadcast', async (later) => {
  const express = require('express');
  const app = express();
  const server = http.createServer(app);
  later(closing(server));
  const { getWss } = require('express-ws')(app, server);
  app.use((request, response, proceed) => {
    request.seen = true;
    proceed();
  });
  app.ws('/live', (websocket, request) => {
    assert.equal(request.seen, true);
    echo(websocket);
  });
  const router = express.Router();
  app.get('/', (request, response) => response.send('http'));
  app.use('/nested', router);
  const port = await listen(server);
  const url = `ws://127.0.0.1:${port}`;

  await expectEcho(new WebSocket(`${url}/live`));
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'http');
  const clients = [new WebSocket(`${url}/live`), new WebSocket(`${url}/live`)];
  await Promise.all(clients.map((client) => once(client, 'open')));
  const heard = clients.map((client) => next(client));
  for (const client of getWss().clients) client.send('all');
  assert.deepEqual(await Promise.all(heard), [['all'], ['all']]);
  for (const client of clients) client.terminate();

  const nowhere = new WebSocket(`${url}/nowhere`);
  await once(nowhere, 'close');
});

scenario('koa-websocket: middleware and context', async (later) => {
  const Koa = require('koa');
  const app = require('koa-websocket')(new Koa());
  app.ws.use((context, proceed) => {
    context.state.path = context.path;
    return proceed();
  });
  app.ws.use((context) => {
    echo(context.websocket);
    if (context.state.path === '/greets') context.websocket.send('at once');
  });
  const server = app.listen(0, '127.0.0.1');
  later(closing(server));
  await once(server, 'listening');
  const url = `ws://127.0.0.1:${server.address().port}`;

  await expectEcho(new WebSocket(`${url}/live`));
  const greeted = new WebSocket(`${url}/greets`);
  assert.deepEqual(await next(greeted), ['at once']);
  greeted.terminate();
});

scenario('http-proxy-middleware in front, from both sides', async (later) => {
  const { createProxyMiddleware } = require('http-proxy-middleware');
  const backend = http.createServer();
  later(closing(backend));
  const wss = new WebSocket.Server({ server: backend, path: '/live' });
  wss.on('connection', (websocket, request) => {
    websocket.send(request.headers['x-forwarded-for'] ? 'proxied' : 'direct');
    echo(websocket);
  });
  const target = `http://127.0.0.1:${await listen(backend)}`;

  const proxy = createProxyMiddleware({ target, ws: true, xfwd: true });
  const front = http.createServer(proxy);
  later(closing(front));
  front.on('upgrade', proxy.upgrade);
  const url = `ws://127.0.0.1:${await listen(front)}`;

  const client = new WebSocket(`${url}/live`);
  assert.deepEqual(await next(client), ['proxied']);
  const large = Buffer.alloc(1 << 20, 'large');
  const back = next(client);
  client.send(large);
  assert.deepEqual(await back, [large]);
  await expectEcho(client);
  await expectRefusal(`${url}/elsewhere`, 400);
  const cut = new WebSocket(`${url}/live`);
  await next(cut);
  const [behind] = wss.clients;
  const closed = once(behind, 'close');
  cut.terminate();
  assert.equal((await closed)[0], 1006);
});
