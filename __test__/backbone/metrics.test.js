// What `wss.metrics()` and the text for Prometheus say of a backbone.

'use strict';

const { once } = require('events');

const WebSocket = require('../..');
const { suite } = require('../support/backbone-suite');

jest.setTimeout(60000);

const { cleanup, startEngine, withEngine } = suite();

async function served(options) {
  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', ...options });
  cleanup(() => {
    for (const client of wss.clients) client.terminate();
    return new Promise((resolve) => wss.close(resolve));
  });
  await once(wss, 'listening');
  return wss;
}

async function member(wss, topic) {
  const connection = once(wss, 'connection');
  const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
  const [[websocket]] = await Promise.all([connection, once(client, 'open')]);
  websocket.subscribe(topic);
  return client;
}

/** Until the backbone is as described. */
async function until(wss, isIt) {
  while (!isIt(wss.metrics().backbone)) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe.each(['redis', 'nats'])('%s', (name) => {
  withEngine(name, 'metrics tell of messages each way, and of reconnecting', async () => {
    const engine = await startEngine(name);
    const [here, there] = [
      await served({ backbone: engine.url }),
      await served({ backbone: engine.url })
    ];
    for (const wss of [here, there]) wss.on('backbone', () => {});
    const clients = [await member(here, 'room'), await member(there, 'room')];
    await until(here, ({ state }) => state === 'connected');
    await until(there, ({ state }) => state === 'connected');
    await Promise.all([here, there].map((wss) => wss.flushBackbone()));

    const got = clients.map((client) => once(client, 'message'));
    expect(here.publish('room', 'abc')).toBe(1);
    await Promise.all(got);
    await here.flushBackbone();
    const [one, other] = [here, there].map((wss) => wss.metrics());
    expect(one.backbone).toMatchObject({
      state: 'connected',
      reconnects: 0,
      topics: 1,
      sent: 1,
      received: 0,
      dropped: 0,
      droppedBytes: 0,
      gaps: 0,
      foreign: 0,
      waiting: 0,
      waitingBytes: 0
    });
    expect(one.backbone.sentBytes).toBeGreaterThan(3);
    expect(one.backbone.lag).toBeGreaterThanOrEqual(0);
    expect(other.backbone).toMatchObject({ sent: 0, received: 1 });
    expect(one.topics).toMatchObject({ publishes: 1, matched: 1, delivered: 1 });
    expect(other.topics).toMatchObject({ publishes: 0, matched: 0, delivered: 1 });

    const text = WebSocket.Server.metricsText({ here, there, alone: await served() });
    expect(text).toMatch(/^ferrows_backbone_connected\{server="here"\} 1$/m);
    expect(text).toMatch(/^ferrows_backbone_received_messages_total\{server="there"\} 1$/m);
    expect(text).not.toMatch(/^ferrows_backbone.*alone/m);

    await engine.kill();
    await until(here, ({ state }) => state === 'lost');
    await engine.start();
    await until(here, ({ reconnects, state }) => state === 'connected' && reconnects > 0);
    await until(here, ({ gaps }) => gaps > 0);
    for (const client of clients) client.terminate();
  });
});
