'use strict';

// Documents that several clients edit, and queues.

const assert = require('assert');
const http = require('http');
const { once } = require('events');

const WebSocket = require('ws');

const { closing, listen, scenario, until } = require('./scenario');

scenario('y-websocket: two documents converge, also after an interruption', async (later) => {
  const { Doc } = require('yjs');
  const { docs: kept, setupWSConnection } = require('@y/websocket-server/utils');
  const { WebsocketProvider } = require('y-websocket');
  const server = http.createServer();
  const wss = new WebSocket.Server({ server });
  wss.on('connection', setupWSConnection);
  later(closing(server));
  later(() => wss.clients.forEach((client) => client.terminate()));
  const url = `ws://127.0.0.1:${await listen(server)}`;

  // Their presence has timers.
  later(() => kept.forEach((doc) => doc.destroy()));
  const docs = [new Doc(), new Doc()];
  const providers = docs.map((doc) => {
    const options = { WebSocketPolyfill: WebSocket, disableBc: true, maxBackoffTime: 50 };
    const provider = new WebsocketProvider(url, 'one', doc, options);
    later(() => doc.destroy());
    later(() => provider.destroy());
    return provider;
  });
  const texts = docs.map((doc) => doc.getText('text'));
  const converged = (length) =>
    until(() => texts.every((text) => text.length === length && `${text}` === `${texts[0]}`));

  texts[0].insert(0, 'from the first ');
  texts[1].insert(0, 'from the second ');
  await converged(31);
  providers[0].awareness.setLocalStateField('name', 'Ada');
  await until(() => providers[1].awareness.getStates().get(docs[0].clientID)?.name === 'Ada');

  for (const client of wss.clients) client.terminate();
  texts[0].insert(0, 'x'.repeat(100000));
  texts[1].insert(0, 'meanwhile ');
  await converged(100041);
  assert.match(`${texts[0]}`, /meanwhile /);
});

scenario('sharedb: operations of two clients on one document', async (later) => {
  const ShareDB = require('sharedb');
  const { Connection } = require('sharedb/lib/client');
  const WebSocketJSONStream = require('@teamwork/websocket-json-stream');
  const backend = new ShareDB();
  const server = http.createServer();
  const wss = new WebSocket.Server({ server });
  wss.on('connection', (websocket) => backend.listen(new WebSocketJSONStream(websocket)));
  later(closing(server));
  later(() => wss.clients.forEach((client) => client.terminate()));
  later(() => new Promise((resolve) => backend.close(resolve)));
  const url = `ws://127.0.0.1:${await listen(server)}`;

  const open = () => {
    const connection = new Connection(new WebSocket(url));
    later(() => connection.close());
    return connection.get('docs', 'one');
  };
  const call = (doc, method, ...args) =>
    new Promise((resolve, reject) => {
      doc[method](...args, (error) => (error ? reject(error) : resolve()));
    });
  const [ann, bob] = [open(), open()];
  await call(ann, 'create', { list: [] });
  await call(bob, 'subscribe');
  await call(ann, 'subscribe');
  assert.deepEqual(bob.data, { list: [] });
  const edits = [];
  for (let i = 0; i < 20; i++) {
    for (const doc of [ann, bob]) {
      edits.push(call(doc, 'submitOp', [{ p: ['list', 0], li: `${doc === ann} ${i}` }]));
    }
  }
  await Promise.all(edits);
  await until(() => [ann, bob].every((doc) => doc.data.list.length === 40));
  assert.deepEqual(ann.data, bob.data);
  assert.equal(new Set(ann.data.list).size, 40);
});

scenario(
  'mqtt and aedes: topics, QoS 0 to 2, retained and large messages, a will',
  ['aedes'],
  async (later) => {
    const { Aedes } = await import('aedes');
    const { connectAsync } = require('mqtt');
    const broker = await Aedes.createBroker();
    const server = http.createServer();
    const wss = new WebSocket.Server({ server, handleProtocols: (protocols) => [...protocols][0] });
    wss.on('connection', (websocket, request) => {
      broker.handle(WebSocket.createWebSocketStream(websocket), request);
    });
    later(closing(server));
    later(() => wss.clients.forEach((client) => client.terminate()));
    later(() => new Promise((resolve) => broker.close(resolve)));
    const url = `ws://127.0.0.1:${await listen(server)}`;

    const join = async (options = {}) => {
      const client = await connectAsync(url, { reconnectPeriod: 0, ...options });
      later(() => client.endAsync(true));
      return client;
    };
    const listener = await join();
    const heard = new Map();
    listener.on('message', (topic, payload) => heard.set(topic, payload));
    await listener.subscribeAsync({ 'news/#': { qos: 2 } });
    const speaker = await join({ will: { topic: 'news/will', payload: 'gone', qos: 1 } });
    for (const qos of [0, 1, 2]) await speaker.publishAsync(`news/${qos}`, `qos ${qos}`, { qos });
    const large = Buffer.alloc(1 << 20, 'large');
    await speaker.publishAsync('news/large', large, { qos: 1, retain: true });
    await until(() => heard.size === 4);
    for (const qos of [0, 1, 2]) assert.equal(`${heard.get(`news/${qos}`)}`, `qos ${qos}`);
    assert.deepEqual(heard.get('news/large'), large);

    const late = await join();
    const retained = once(late, 'message');
    await late.subscribeAsync('news/large');
    assert.deepEqual((await retained)[1], large);

    speaker.stream.destroy();
    await until(() => heard.has('news/will'));
    assert.equal(`${heard.get('news/will')}`, 'gone');
  }
);
