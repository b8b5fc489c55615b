'use strict';

const assert = require('assert');
const http = require('http');
const { once } = require('events');

const { Server } = require('socket.io');
const { WebSocketServer } = require('ws');
const { io: connect } = require('socket.io-client');

const { closing, listen, scenario, until } = require('./scenario');

async function serve(later, options = {}) {
  const server = http.createServer();
  const io = new Server(server, options);
  later(() => io.close());
  const port = await listen(server);
  const client = (more = {}) => {
    const socket = connect(`http://127.0.0.1:${port}`, { forceNew: true, ...more });
    later(() => socket.close());
    return socket;
  };
  return { io, client };
}

/** Rooms, acknowledgements, binary data in both directions. */
async function talk(io, clients) {
  io.on('connection', (socket) => {
    socket.on('join', (room, done) => {
      socket.join(room);
      done([...socket.rooms].includes(room));
    });
    socket.on('echo', (data, acknowledge) => acknowledge(data));
  });
  await Promise.all(clients.map((socket) => socket.connected || once(socket, 'connect')));
  const [ann, bob, eve] = clients;
  assert.equal(await ann.emitWithAck('join', 'room'), true);
  assert.equal(await bob.emitWithAck('join', 'room'), true);

  const large = Buffer.alloc(300000, 'binary ');
  assert.deepEqual(await eve.emitWithAck('echo', { large, nested: [Buffer.from('x'), 'y'] }), {
    large,
    nested: [Buffer.from('x'), 'y']
  });

  const heard = [];
  for (const socket of clients) socket.on('news', (...args) => heard.push([socket, ...args]));
  io.to('room').emit('news', 'text', Buffer.from([1, 2, 3]));
  io.emit('news', 'for all');
  await until(() => heard.length === 5);
  assert.deepEqual(
    clients.map((socket) => heard.filter(([who]) => who === socket).map(([, ...args]) => args)),
    [
      [['text', Buffer.from([1, 2, 3])], ['for all']],
      [['text', Buffer.from([1, 2, 3])], ['for all']],
      [['for all']]
    ]
  );

  for (const [index, socket] of clients.entries()) socket.on('who', (answer) => answer(index));
  assert.deepEqual((await io.timeout(20000).emitWithAck('who')).sort(), [0, 1, 2]);
}

scenario('socket.io: rooms, acknowledgements and binary over WebSockets only', async (later) => {
  const { io, client } = await serve(later, { transports: ['websocket'] });
  const only = { transports: ['websocket'] };
  await talk(io, [client(only), client(only), client(only)]);
});

scenario('socket.io: wsEngine, with compression', async (later) => {
  const wsEngine = class extends WebSocketServer {};
  const { io, client } = await serve(later, {
    wsEngine,
    perMessageDeflate: { threshold: 0 },
    transports: ['websocket']
  });
  const only = { transports: ['websocket'], perMessageDeflate: { threshold: 0 } };
  await talk(io, [client(only), client(only), client(only)]);
  assert.ok(io.engine.ws instanceof wsEngine);
});

scenario('socket.io: from polling to a WebSocket', async (later) => {
  const { io, client } = await serve(later);
  const clients = [client(), client(), client()];
  await talk(io, clients);
  for (const socket of clients) {
    await until(() => socket.io.engine.transport.name === 'websocket');
  }
  const [socket] = clients;
  assert.equal(await socket.emitWithAck('echo', 'after it'), 'after it');
});

for (const kill of ['terminate', 'close']) {
  scenario(`socket.io: a client is back after ${kill}() of its connection`, async (later) => {
    const { io, client } = await serve(later, { transports: ['websocket'] });
    const sockets = [];
    io.on('connection', (socket) => {
      sockets.push(socket);
      socket.on('echo', (data, acknowledge) => acknowledge(data));
    });
    const socket = client({ transports: ['websocket'], reconnectionDelay: 10 });
    await once(socket, 'connect');
    const before = socket.id;
    const [reason] = await Promise.all([
      once(sockets[0], 'disconnect').then(([why]) => why),
      once(socket, 'disconnect'),
      sockets[0].conn.transport.socket[kill]()
    ]);
    assert.match(reason, /^transport (?:close|error)$/);
    await until(() => socket.connected);
    assert.notEqual(socket.id, before);
    assert.equal(await socket.emitWithAck('echo', 'again'), 'again');
    assert.equal(sockets.length, 2);
  });
}

scenario('engine.io: order over an upgrade, close() flushes', async (later) => {
  const engine = require('engine.io');
  const { Socket } = require('engine.io-client');
  const server = http.createServer();
  const eio = engine.attach(server);
  later(closing(server));
  later(() => eio.close());
  const port = await listen(server);

  const received = [];
  eio.on('connection', (socket) => {
    socket.on('message', (data) => {
      received.push(data);
      socket.send(data);
      if (data === 'last') socket.close();
    });
  });
  const socket = new Socket(`ws://127.0.0.1:${port}`);
  later(() => socket.close());
  const echoed = [];
  socket.on('message', (data) => echoed.push(data));
  socket.on('open', () => {
    for (let i = 0; i < 50; i++) socket.send(`before ${i}`);
  });
  await once(socket, 'upgrade');
  for (let i = 0; i < 50; i++) socket.send(i % 2 ? `after ${i}` : Buffer.from([i]));
  const closed = once(socket, 'close');
  socket.send('last');
  await closed;
  assert.equal(received.length, 101);
  assert.deepEqual(echoed, received);
  assert.deepEqual(received[50], Buffer.from([0]));
  assert.equal(received[51], 'after 1');
});
