// Asynchronous handlers: how many run at a time.

'use strict';

const { once } = require('events');
const EventEmitter = require('events');

const WebSocket = require('../..');
const { serve } = require('../support/libraries');
const { RawPeer, frame } = require('../support/raw-peer');

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

const numbers = (count) => Array.from({ length: count }, (_, index) => String(index));

/** Handlers that end when the test says so. */
function jobs() {
  const list = [];
  const waiting = [];
  const handler = (data) =>
    new Promise((resolve, reject) => {
      list.push({ text: String(data.data === undefined ? data : data.data), resolve, reject });
      if (waiting.length > 0) waiting.shift()();
    });
  /** Resolves when there are so many. */
  const begun = async (count) => {
    while (list.length < count) await new Promise((resolve) => waiting.push(resolve));
  };
  return { list, handler, begun };
}

async function connected(options, onConnection) {
  const server = await serve(WebSocket, 'port', options);
  cleanUp.push(server.close);
  server.wss.on('connection', onConnection);
  const connection = once(server.wss, 'connection');
  const peer = await RawPeer.open(server.port);
  cleanUp.push(() => peer.socket.destroy());
  const [websocket] = await connection;
  return { ...server, peer, websocket };
}

/** Enough turns for whatever was to come. */
async function quiet() {
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
}

const ways = [
  ['on()', (websocket, handler) => websocket.on('message', handler)],
  ['addEventListener()', (websocket, handler) => websocket.addEventListener('message', handler)],
  ['onmessage', (websocket, handler) => (websocket.onmessage = handler)],
  [
    'an object',
    (websocket, handler) => websocket.addEventListener('message', { handleEvent: handler })
  ]
];

describe.each(ways)('%s', (name, listen) => {
  test('no more than so many run, and all run in order', async () => {
    const { list, handler, begun } = jobs();
    const { peer } = await connected({ maxInFlight: 3 }, (websocket) => listen(websocket, handler));
    peer.send(...numbers(50).map((text) => frame(0x81, text)));
    await begun(3);
    await quiet();
    expect(list).toHaveLength(3);
    // Also if they end in another order.
    list[1].resolve();
    await begun(4);
    await quiet();
    expect(list).toHaveLength(4);
    for (let index = 0; index < 50; index++) {
      await begun(index + 1);
      list[index].resolve();
    }
    expect(list.map(({ text }) => text)).toEqual(numbers(50));
  });
});

test('handlers that return no promise do not count', async () => {
  const got = [];
  const { peer } = await connected({ maxInFlight: 1 }, (websocket) => {
    websocket.on('message', (data) => got.push(String(data)));
    websocket.on('message', () => ({ then: 5 }));
  });
  peer.send(...numbers(20).map((text) => frame(0x81, text)), frame(0x88, ''));
  await peer.rest();
  expect(got).toEqual(numbers(20));
});

test('a flood stays with the kernel while handlers are busy', async () => {
  const { list, handler, begun } = jobs();
  const { peer, websocket } = await connected({ maxInFlight: 1 }, (each) => {
    each.on('message', handler);
  });
  const large = Buffer.alloc(1 << 20, 1);
  for (let i = 0; i < 40; i++) peer.send(frame(0x82, large));
  await begun(1);
  // The peer cannot get rid of all that it wrote.
  await quiet();
  expect(peer.socket.writableLength).toBeGreaterThan(0);
  for (let index = 0; index < 40; index++) {
    await begun(index + 1);
    list[index].resolve();
  }
  expect(websocket.isPaused).toBe(false);
});

test('what had arrived when the connection ended is delivered without waiting', async () => {
  const { list, handler, begun } = jobs();
  const { peer, websocket } = await connected({ maxInFlight: 1 }, (each) => {
    each.on('message', handler);
  });
  const closed = once(websocket, 'close');
  peer.send(...numbers(3).map((text) => frame(0x81, text)));
  await begun(1);
  websocket.terminate();
  await closed;
  // Those that never end hold nothing up.
  expect(list.length).toBeGreaterThan(0);
});

test("pause() and resume() are the user's as ever", async () => {
  const { list, handler, begun } = jobs();
  const { peer, websocket } = await connected({ maxInFlight: 1 }, (each) => {
    each.on('message', handler);
  });
  peer.send(...numbers(3).map((text) => frame(0x81, text)));
  await begun(1);
  websocket.pause();
  list[0].resolve();
  await quiet();
  expect(list).toHaveLength(1);
  websocket.resume();
  await begun(2);
  websocket.pause();
  websocket.resume();
  await quiet();
  expect(list).toHaveLength(2);
  list[1].resolve();
  await begun(3);
});

test('it goes on after the socket was given back to Node', async () => {
  const { list, handler, begun } = jobs();
  const { peer, websocket } = await connected({ maxInFlight: 2 }, (each) => {
    each.on('message', handler);
  });
  peer.send(...numbers(10).map((text) => frame(0x81, text)));
  await begun(2);
  websocket._socket.cork();
  websocket._socket.uncork();
  await quiet();
  expect(list).toHaveLength(2);
  peer.send(...numbers(10).map((text) => frame(0x81, text)));
  for (let index = 0; index < 20; index++) {
    await begun(index + 1);
    list[index].resolve();
    await quiet();
    expect(list.length).toBeLessThanOrEqual(index + 3);
  }
  expect(list.map(({ text }) => text)).toEqual([...numbers(10), ...numbers(10)]);
});

test('once() and a wrapped emit() are as without a limit', async () => {
  const trace = [];
  const { peer, websocket } = await connected({ maxInFlight: 1 }, (each) => {
    const { emit } = each;
    each.emit = function (event, ...args) {
      trace.push(`emit ${event}`);
      return emit.call(this, event, ...args);
    };
    each.once('message', async (data) => trace.push(`once ${data}`));
    each.on('message', async (data) => trace.push(`on ${data}`));
  });
  peer.send(frame(0x81, 'a'), frame(0x81, 'b'), frame(0x88, ''));
  peer.socket.end();
  await once(websocket, 'close');
  expect(trace).toEqual(['emit message', 'once a', 'on a', 'emit message', 'on b', 'emit close']);
  expect(websocket.emit('message', 'nobody')).toBe(true);
});

test('a class with an emit() of its own has no limit, and works', async () => {
  const got = [];
  class Own extends WebSocket {
    emit(event, ...args) {
      if (event === 'message') got.push(String(args[0]));
      return super.emit(event, ...args);
    }
  }
  const { peer } = await connected({ maxInFlight: 1, WebSocket: Own }, (websocket) => {
    websocket.on('message', () => new Promise(() => {}));
  });
  peer.send(...numbers(3).map((text) => frame(0x81, text)), frame(0x88, ''));
  await peer.rest();
  expect(got).toEqual(numbers(3));
});

describe('rejections', () => {
  test('are captured if the emitter does that', async () => {
    EventEmitter.captureRejections = true;
    let connection;
    try {
      connection = await connected({ maxInFlight: 1 }, (websocket) => {
        websocket.on('message', async (data) => {
          throw new Error(String(data));
        });
      });
    } finally {
      EventEmitter.captureRejections = false;
    }
    const { peer, websocket } = connection;
    const errors = [];
    websocket.on('error', (error) => errors.push(error.message));
    peer.send(frame(0x81, 'a'), frame(0x81, 'b'), frame(0x88, ''));
    await peer.rest();
    expect(errors).toEqual(['a', 'b']);
  });

  test('are unhandled rejections otherwise, and the next message comes', () => {
    const { spawnSync } = require('child_process');
    const script = `
      const WebSocket = require(${JSON.stringify(require.resolve('../..'))});
      process.on('unhandledRejection', (error) => console.log('unhandled', error.message));
      const wss = new WebSocket.Server({ port: 0, maxInFlight: 1 }, () => {
        const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
        client.on('open', () => ['a', 'b', 'c'].forEach((text) => client.send(text)));
      });
      wss.on('connection', (websocket) => {
        websocket.on('message', async (data) => {
          if (String(data) === 'c') return setImmediate(() => process.exit());
          throw new Error(String(data));
        });
      });`;
    const { stdout, status } = spawnSync(process.execPath, ['-e', script], {
      encoding: 'utf8',
      timeout: 30000
    });
    expect(stdout).toBe('unhandled a\nunhandled b\n');
    expect(status).toBe(0);
  });
});
