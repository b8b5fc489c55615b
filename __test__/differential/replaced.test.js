'use strict';

// Methods of Sender and Receiver in whose place somebody has put others.

const { once } = require('events');

const { run } = require('../support/children');
const { libraries, serve } = require('../support/libraries');

const PATHS = ['ws', 'ferrows'];

async function connect(WebSocket, mode) {
  const context = await serve(WebSocket, mode === 'client' ? 'port' : mode, {
    perMessageDeflate: false
  });
  const connected = once(context.wss, 'connection');
  const client = new WebSocket(`ws://127.0.0.1:${context.port}`, { perMessageDeflate: false });
  const opened = once(client, 'open');
  const [server] = await connected;
  await opened;
  const [websocket, peer] = mode === 'client' ? [client, server] : [server, client];
  const close = async () => {
    client.terminate();
    await context.close();
  };
  return { close, isMasking: mode === 'client', peer, websocket };
}

/** Runs a script with each library on each kind of connection and compares what it returns. */
function compare(title, script) {
  test.each(['port', 'noServer', 'client'])(`${title} (%s)`, async (mode) => {
    const results = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const connection = await connect(WebSocket, mode);
      connection.peer.on('error', () => {});
      try {
        results[name] = await script({ ...connection, WebSocket });
      } finally {
        await connection.close();
      }
    }
    expect(results.ws).toBeDefined();
    expect(results.ferrows).toEqual(results.ws);
  });
}

/** Puts a method in the place of one, which notes that it was called and calls that. */
function wrap(object, name, note, self = undefined) {
  const { [name]: method } = object;
  object[name] = function (...args) {
    note(name, args);
    return Reflect.apply(method, self || this, args);
  };
}

/** Exchanges messages of all kinds, and what the peer gets. */
async function converse({ peer, websocket }) {
  const got = [];
  for (const event of ['message', 'ping', 'pong']) peer.on(event, (data) => got.push(`${data}`));
  websocket.send('text');
  websocket.send(Buffer.from('bytes'), { binary: true });
  websocket.send('in two', { fin: false });
  websocket.send(' parts');
  websocket.ping('ping');
  websocket.pong('pong');
  peer.ping('answer me');
  const answered = once(peer, 'pong');
  peer.send('done');
  await once(websocket, 'message');
  if (!got.includes('answer me')) await answered;
  websocket.close(4000, 'over');
  const [code, reason] = await once(peer, 'close');
  return [got.sort(), code, String(reason)];
}

describe('on the Sender of a connection', () => {
  for (const self of ['this', 'the sender that was asked']) {
    compare(`methods that are called on ${self}`, async (connection) => {
      const { _sender: sender } = connection.websocket;
      const calls = [];
      for (const name of ['send', 'ping', 'pong', 'close']) {
        wrap(sender, name, () => calls.push(name), self === 'this' ? undefined : sender);
      }
      const result = await converse(connection);
      return [calls.sort(), ...result];
    });
  }

  compare('one that changes what is sent', async ({ peer, websocket }) => {
    const { _sender: sender } = websocket;
    const { send } = sender;
    sender.send = (data, options, callback) => send.call(sender, `<${data}>`, options, callback);
    websocket.send('a');
    websocket.send('b');
    const got = [];
    peer.on('message', (data) => got.push(String(data)));
    while (got.length < 2) await once(peer, 'message');
    return got;
  });

  compare('one that writes whole frames', async (connection) => {
    const frames = [];
    wrap(connection.websocket._sender, 'sendFrame', (name, [list]) => {
      const bytes = Buffer.concat(list.map((part) => Buffer.from(part)));
      // A mask is chosen at random.
      frames.push(connection.isMasking ? bytes.length : bytes.toString('latin1'));
    });
    const result = await converse(connection);
    return [frames.sort(), ...result];
  });
});

describe('on the Receiver of a connection', () => {
  compare('emit()', async (connection) => {
    const seen = new Set();
    wrap(connection.websocket._receiver, 'emit', (_, [event]) => seen.add(event));
    const result = await converse(connection);
    const expected = ['conclude', 'message', 'ping'].map((event) => seen.has(event));
    return [expected, ...result];
  });

  compare('_write()', async (connection) => {
    let bytes = 0;
    wrap(connection.websocket._receiver, '_write', (_, [chunk]) => (bytes += chunk.length));
    const result = await converse(connection);
    return [bytes, ...result];
  });

  compare('who listens', ({ websocket: { _receiver: receiver } }) => [
    receiver.eventNames().map(String).sort(),
    ['message', 'ping', 'pong', 'conclude', 'error', 'drain'].map((event) =>
      receiver.listenerCount(event)
    )
  ]);
});

// In a process of its own: what is replaced on a prototype concerns everybody.
// (`WebSocket` is ferrows there, unless another is asked for.)
const PROGRAM = `
  const { once } = require('events');
  const [, module, owner, name] = process.argv;
  const { Receiver, Sender, Server } = module === 'ferrows' ? WebSocket : require(module);
  const object = { frame: Sender, sender: Sender.prototype, receiver: Receiver.prototype }[owner];
  const calls = new Set();
  const original = object[name];
  object[name] = function (...args) {
    calls.add(typeof args[0] === 'string' && name === 'emit' ? args[0] : name);
    return original.apply(this, args);
  };
  async function main() {
    const wss = new Server({ port: 0, host: '127.0.0.1' });
    await once(wss, 'listening');
    // The client does not count: it is of this process, too.
    const socket = require('net').connect(wss.address().port, '127.0.0.1');
    const connected = once(wss, 'connection');
    socket.write('GET / HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n');
    const [websocket] = await connected;
    socket.resume();
    websocket.send('x');
    websocket.ping();
    socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x41, 0x89, 0x80, 0, 0, 0, 0]));
    await once(websocket, 'ping');
    await new Promise((resolve) => websocket.send('y', resolve));
    websocket.close(1000);
    socket.end(Buffer.from([0x88, 0x80, 0, 0, 0, 0]));
    await once(websocket, 'close');
    console.log([...calls].sort().join());
    wss.close();
  }
  main();`;

test.each([
  ['sender', 'send'],
  ['sender', 'ping'],
  ['sender', 'pong'],
  ['sender', 'close'],
  ['sender', 'sendFrame'],
  ['frame', 'frame'],
  ['receiver', '_write'],
  ['receiver', 'emit']
])('on all of them: %s %s', async (owner, name) => {
  const results = {};
  for (const library of PATHS) {
    const module = library === 'ws' ? require.resolve('ws') : library;
    results[library] = await run(PROGRAM, [module, owner, name]).ended;
  }
  expect(results.ws).toMatchObject({ code: 0, err: '', out: expect.stringMatching(/\w/) });
  expect(results.ferrows).toEqual(results.ws);
});
