'use strict';

// Every member of net.Socket on the socket of a WebSocket, as COMPAT.md lists them.

const fs = require('fs');
const net = require('net');
const path = require('path');
const { PassThrough, Writable } = require('stream');
const { once } = require('events');

const { libraries, serve } = require('../support/libraries');
const { clientWithPeer } = require('../support/peers');
const { RawPeer, frame: frameOf } = require('../support/raw-peer');

const TEXT = 0x81;
const { prototype: genuine } = net.Socket;

/** The members of a socket that are documented or begin with an underscore, nearest first. */
function membersOf(prototype) {
  const members = new Map();
  let next = prototype;
  for (
    let above = Object.getPrototypeOf(next);
    above !== null;
    above = Object.getPrototypeOf(next)
  ) {
    for (const name of Object.getOwnPropertyNames(next)) {
      if (!members.has(name)) members.set(name, Object.getOwnPropertyDescriptor(next, name));
    }
    next = above;
  }
  return members;
}

const MEMBERS = membersOf(genuine);

/** What COMPAT.md says: how each member is there. The names of an item end at its dash. */
function readTable() {
  const text = fs.readFileSync(path.join(__dirname, '..', '..', 'COMPAT.md'), 'utf8');
  const section = text.slice(text.indexOf('## The socket of a WebSocket')).split('\n## ', 1)[0];
  const table = new Map();
  for (const part of section.split('\n### ').slice(1)) {
    const kind = part.slice(0, part.indexOf('\n')).toLowerCase();
    for (const [, item] of part.matchAll(/^- ([^]*?)(?=^- |$(?![^]))/gm)) {
      const [names] = item.split(' – ');
      for (const [, name] of names.matchAll(/`([^`]+?)(?:\(\))?`/g)) table.set(name, kind);
    }
  }
  return table;
}

const TABLE = readTable();

/** A connection to `wss`, seen from the server. */
async function connect({ wss, port }) {
  const connected = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  peer.socket.setNoDelay();
  const [websocket, request] = await connected;
  websocket.on('error', () => {});
  return { peer, request, websocket };
}

// Whether the peer is a client, whose frames are masked.
let masking = true;
const frame = (first, payload) => frameOf(first, payload, { mask: masking });

/**
 * Runs a script against ws and ferrows, on a server's end in both modes and on a client's, and
 * compares what it returns.
 */
function compare(title, script, options) {
  const modes = options === undefined ? ['port', 'noServer', 'client'] : ['port', 'noServer'];
  test.each(modes)(`${title} (%s)`, async (mode) => {
    const results = {};
    masking = mode !== 'client';
    for (const [name, WebSocket] of Object.entries(libraries)) {
      results[name] = await (masking ? asServer : asClient)(WebSocket, mode, script, options);
    }
    expect(results.ws).toBeDefined();
    expect(results.ferrows).toEqual(results.ws);
  });
}

async function asServer(WebSocket, mode, script, options) {
  const context = await serve(WebSocket, mode, options);
  try {
    const connection = await connect(context);
    const result = await script({ ...context, ...connection });
    connection.peer.socket.destroy();
    return result;
  } finally {
    await context.close();
  }
}

async function asClient(WebSocket, mode, script) {
  const connection = await clientWithPeer(
    (url) => new WebSocket(url, { perMessageDeflate: false })
  );
  connection.peer.socket.setNoDelay();
  connection.websocket.on('error', () => {});
  try {
    return await script(connection);
  } finally {
    await connection.close();
    connection.websocket.terminate();
  }
}

/** Whether a message still arrives and is answered. */
async function echoes({ websocket, peer }) {
  const answer = peer.nextFrame();
  websocket.once('message', (data) => websocket.send(`${data} too`));
  peer.send(frame(TEXT, 'still'));
  const received = await answer;
  return received === null ? 'ended' : received.payload.toString();
}

test('COMPAT.md lists every member of this version of Node', () => {
  const missing = [...MEMBERS.keys()].filter((name) => !TABLE.has(name));
  expect(missing).toEqual([]);
});

const KINDS = new Set([...TABLE.values()]);

test('every member is either native or given back', () => {
  expect(KINDS.size).toBeGreaterThan(1);
  for (const kind of KINDS) expect(kind).toMatch(/^(native|given back)/);
});

// What a value is, without what differs from run to run.
const VARYING = new Set([
  'remotePort',
  'localPort',
  'bytesRead',
  '_bytesDispatched',
  'bytesWritten'
]);

function shown(name, value) {
  if (VARYING.has(name)) return `${typeof value} ${value > 0}`;
  if (value === null || typeof value !== 'object') return String(value);
  return Array.isArray(value) ? `array of ${value.length}` : 'object';
}

const PROPERTIES = [...MEMBERS].filter(([, { get }]) => get !== undefined).map(([name]) => name);
const OWN = ['allowHalfOpen', 'connecting', 'destroyed', 'timeout', 'encrypted', 'authorized'];
// Asking for it is another matter, tested below; what was read is one flag in some versions of Node.
const APART = new Set(['_handle', 'readableDidRead', '_connecting']);

const look = (socket) =>
  Object.fromEntries(
    [...PROPERTIES, ...OWN]
      .filter((name) => !APART.has(name))
      .map((name) => [name, shown(name, socket[name])])
  );

compare('names that for...in finds', ({ websocket }) => {
  const names = [];
  for (const name in websocket._socket) names.push(name);
  return names.sort();
});

compare('properties at first', ({ websocket }) => look(websocket._socket));

compare('properties after messages', async (connection) => {
  await echoes(connection);
  return look(connection.websocket._socket);
});

compare('properties while paused', async ({ websocket }) => {
  websocket.pause();
  return look(websocket._socket);
});

compare('properties while much is unsent', async ({ websocket, peer }) => {
  peer.socket.pause();
  for (let index = 0; index < 40; index++) websocket.send(Buffer.alloc(256 * 1024));
  const seen = look(websocket._socket);
  for (const name of ['writableLength', 'bufferSize', 'writableBuffer']) delete seen[name];
  return [seen, websocket._socket.writableLength > 1 << 20, websocket._socket.bufferSize > 1 << 20];
});

compare('properties after end()', async ({ websocket, peer }) => {
  websocket._socket.end();
  await once(websocket._socket, 'finish');
  const seen = look(websocket._socket);
  peer.socket.end();
  await once(websocket, 'close');
  return seen;
});

compare('properties after the peer has left', async (connection) => {
  const { websocket, peer } = connection;
  const before = look(websocket._socket);
  await echoes(connection);
  peer.socket.end();
  await once(websocket, 'close');
  await new Promise(setImmediate);
  return [before, look(websocket._socket)];
});

// What the connection had carried is not kept for a socket that nobody asked for.
const LATE = ['destroyed', 'pending', 'readable', 'writable', 'readyState', 'remoteAddress'];

compare('properties that are first looked at after the end', async ({ websocket, peer }) => {
  peer.socket.end();
  await once(websocket, 'close');
  await new Promise(setImmediate);
  return LATE.map((name) => String(websocket._socket[name]));
});

compare('addresses are those of the connection', ({ websocket, peer }) => {
  const { _socket: socket } = websocket;
  return [
    socket.remotePort === peer.socket.localPort,
    socket.localPort === peer.socket.remotePort,
    socket.remoteAddress === peer.socket.localAddress,
    Object.keys(socket.address()).sort()
  ];
});

compare('bytesRead and bytesWritten grow by what passes', async ({ websocket, peer }) => {
  const { _socket: socket } = websocket;
  const before = [socket.bytesRead, socket.bytesWritten];
  peer.send(frame(TEXT, 'x'.repeat(1000)));
  await once(websocket, 'message');
  websocket.send('y'.repeat(2000));
  const now = [socket.bytesRead - before[0], socket.bytesWritten - before[1]];
  await peer.nextFrame();
  peer.socket.end();
  await once(websocket, 'close');
  return [now, socket.bytesRead - before[0], socket.bytesWritten - before[1]];
});

/** What is called on a socket, and what comes of it. */
const CALLS = {
  setNoDelay: (socket) => socket.setNoDelay(false) === socket,
  setKeepAlive: (socket) => socket.setKeepAlive(true, 0) === socket,
  ref: (socket) => socket.ref() === socket,
  unref: (socket) => socket.unref().ref() === socket,
  address: (socket) => Object.keys(socket.address()).sort(),
  isPaused: (socket) => socket.isPaused(),
  async pause(socket) {
    socket.pause();
    const paused = [socket.isPaused(), socket.readableFlowing];
    socket.resume();
    await once(socket, 'resume');
    return [...paused, socket.isPaused(), socket.readableFlowing];
  },
  async setTimeout(socket) {
    const events = [];
    socket.setTimeout(20, () => events.push('called back'));
    events.push(socket.timeout);
    await once(socket, 'timeout');
    socket.setTimeout(0);
    return [...events, socket.timeout];
  },
  cork(socket) {
    socket.cork();
    const { writableCorked } = socket;
    socket.uncork();
    return [writableCorked, socket.writableCorked];
  },
  uncork: (socket) => String(socket.uncork()),
  read: (socket) => socket.read(),
  'read(0)': (socket) => socket.read(0),
  'unshift of a frame': async (socket, { websocket }) => {
    const message = once(websocket, 'message');
    socket.unshift(frame(TEXT, 'unshifted'));
    return String((await message)[0]);
  },
  'push of a frame': async (socket, { websocket }) => {
    const message = once(websocket, 'message');
    socket.push(frame(TEXT, 'pushed'));
    return String((await message)[0]);
  },
  'emit of a frame': async (socket, { websocket }) => {
    const message = once(websocket, 'message');
    socket.emit('data', frame(TEXT, 'emitted'));
    return String((await message)[0]);
  },
  setEncoding(socket) {
    try {
      return socket.setEncoding('latin1') === socket;
    } catch (error) {
      return [error.code, error.message];
    }
  },
  setDefaultEncoding: (socket) => socket.setDefaultEncoding('utf8') === socket,
  'write of a frame': async (socket, { peer }) => {
    const returned = socket.write(Buffer.from([TEXT, 1, 120]));
    return [returned, String((await peer.nextFrame()).payload)];
  },
  pipe: (socket) => {
    const sink = new PassThrough();
    socket.pipe(sink);
    sink.resume();
    return socket.listenerCount('data');
  },
  unpipe: (socket) => socket.unpipe() === socket,
  [Symbol.asyncIterator.description]: (socket) => typeof socket[Symbol.asyncIterator],
  'listeners of data': (socket) => [socket.listeners('data').length, socket.listenerCount('data')],
  'listeners of others': (socket) =>
    ['close', 'end', 'error', 'drain', 'finish'].map((name) => socket.listenerCount(name)),
  'on and off': (socket) => {
    const listener = () => {};
    socket.on('close', listener);
    socket.off('close', listener);
    return socket.listenerCount('close');
  },
  eventNames: (socket) => socket.eventNames().filter((name) => name !== 'data').length > 2,
  _handle: (socket) => [typeof socket._handle, socket._handle.fd >= 0, socket._handle.reading],
  instanceof: (socket) => [socket instanceof net.Socket, socket.constructor === net.Socket]
};

for (const [name, call] of Object.entries(CALLS)) {
  compare(`calling ${name}`, async (connection) => {
    const result = await call(connection.websocket._socket, connection);
    return [result, await echoes(connection)];
  });
}

/** What ends a connection, and the events that follow. */
const ENDS = {
  end: (socket) => socket.end(),
  'end with data': (socket) => socket.end(Buffer.from([TEXT, 1, 120])),
  destroy: (socket) => socket.destroy(),
  'destroy with an error': (socket) => socket.destroy(new Error('boom')),
  destroySoon: (socket) => socket.destroySoon(),
  resetAndDestroy: (socket) => socket.resetAndDestroy(),
  'the peer ends': (socket, { peer }) => peer.socket.end(),
  'the peer resets': (socket, { peer }) => peer.socket.resetAndDestroy(),
  'the peer destroys': (socket, { peer }) => peer.socket.destroy(),
  'terminate()': (socket, { websocket }) => websocket.terminate(),
  'a close handshake': (socket, { websocket, peer }) => {
    websocket.close(1000);
    peer.send(frame(0x88, Buffer.from([0x03, 0xe8])));
  }
};

for (const [name, end] of Object.entries(ENDS)) {
  compare(`events when the connection ends: ${name}`, async (connection) => {
    const { peer, websocket } = connection;
    const { _socket: socket } = websocket;
    const events = [];
    for (const event of ['end', 'finish', 'error', 'close', 'timeout']) {
      socket.on(event, (detail) => {
        const { code, message } = Object(detail);
        events.push(`${event} ${code || message || detail}`);
      });
    }
    websocket.on('close', (code) => events.push(`websocket ${code}`));
    const closed = Promise.all([
      once(websocket, 'close'),
      new Promise((r) => socket.on('close', r))
    ]);
    peer.socket.on('end', () => peer.socket.end());
    end(socket, connection);
    await closed;
    return [events, socket.destroyed, socket.readyState];
  });
}

compare("'drain' after a large message, though the kernel took it", async ({ websocket, peer }) => {
  websocket.send('x'.repeat(100_000));
  const needs = websocket._socket.writableNeedDrain;
  await once(websocket._socket, 'drain');
  await peer.nextFrame();
  return [needs, websocket._socket.writableNeedDrain, websocket._socket.writableLength];
});

compare("'drain' for a listener that was there before", async ({ websocket, peer }) => {
  let drains = 0;
  websocket._socket.on('drain', () => drains++);
  for (let index = 0; index < 5; index++) {
    const drained = once(websocket._socket, 'drain');
    websocket.send('x'.repeat(100_000));
    await Promise.all([drained, peer.nextFrame()]);
  }
  websocket.send('small');
  await peer.nextFrame();
  return drains;
});

// Nothing, for a client's bytes: they are one write with their header.
const LARGE = {
  text: ({ websocket }) => websocket.send('x'.repeat(100_000)),
  bytes: ({ websocket }) => websocket.send(Buffer.alloc(100_000)),
  'two parts': ({ websocket }) =>
    websocket._sender.sendFrame([Buffer.from([0x82, 126, 0x80, 0]), Buffer.alloc(0x8000)]),
  'one part': ({ websocket }) => {
    const head = Buffer.from([0x82, 126, 0x80, 0]);
    websocket._sender.sendFrame([Buffer.concat([head, Buffer.alloc(0x8000)])]);
  },
  'more than the kernel takes': ({ websocket, peer }) => {
    peer.socket.pause();
    for (let index = 0; index < 40; index++) websocket.send(Buffer.alloc(256 * 1024));
    setImmediate(() => peer.socket.resume());
  }
};
const TOUCHES = {
  nothing: () => {},
  _handle: ({ _socket: socket }) => socket._handle.getAsyncId(),
  cork({ _socket: socket }) {
    socket.cork();
    socket.uncork();
  }
};

for (const [what, send] of Object.entries(LARGE)) {
  for (const [name, touch] of Object.entries(TOUCHES)) {
    for (const isEarly of [true, false]) {
      const title = `'drain' ${isEarly ? 'listened for before' : 'after'} ${what}, touched by ${name}`;
      compare(title, async (connection) => {
        const { websocket, peer } = connection;
        let drains = 0;
        const listen = () => websocket._socket.on('drain', () => drains++);
        if (isEarly) listen();
        send(connection);
        touch(websocket);
        if (!isEarly) listen();
        const needs = websocket._socket.writableNeedDrain;
        const sent = new Promise((resolve) => websocket.send('last', resolve));
        for (let next = await peer.nextFrame(); String(next.payload) !== 'last';) {
          next = await peer.nextFrame();
        }
        await sent;
        await new Promise(setImmediate);
        return [needs, drains];
      });
    }
  }
}

compare('a paused socket holds messages back', async ({ websocket, peer }) => {
  const seen = [];
  websocket.on('message', (data) => seen.push(String(data)));
  websocket._socket.pause();
  peer.send(frame(TEXT, 'held'));
  await new Promise((resolve) => setTimeout(resolve, 20));
  seen.push('resume');
  websocket._socket.resume();
  while (seen.length < 2) await once(websocket, 'message');
  return seen;
});

// When the timer of a socket's time-out was set last.
function startOf(socket) {
  const timer = Object.getOwnPropertySymbols(socket).find((key) => key.description === 'timeout');
  return socket[timer]._idleStart;
}

compare('traffic puts a time-out off, both ways', async ({ websocket, peer }) => {
  const { _socket: socket } = websocket;
  const seen = [];
  socket.setTimeout(60_000);
  let before = startOf(socket);
  const later = async (what, act) => {
    // The clock of the event loop has moved on.
    await new Promise((resolve) => setTimeout(resolve, 10));
    await act();
    seen.push(`${what} ${startOf(socket) !== before}`);
    before = startOf(socket);
  };
  await later('nothing', () => {});
  await later('received', () => {
    peer.send(frame(TEXT, 'x'));
    return once(websocket, 'message');
  });
  await later('sent', () => {
    websocket.send('y');
    return peer.nextFrame();
  });
  await later('ping', () => {
    peer.send(frame(0x89, 'p'));
    return once(websocket, 'ping');
  });
  return [seen, socket.timeout];
});

compare("'timeout' of a socket that is silent, again and again", async ({ websocket, peer }) => {
  const { _socket: socket } = websocket;
  socket.setTimeout(20);
  await once(socket, 'timeout');
  peer.send(frame(TEXT, 'x'));
  await once(websocket, 'message');
  await once(socket, 'timeout');
  return [socket.timeout, socket.destroyed];
});

// The end of a peer makes the stream say 'readable', and Node put another write() on the socket.
compare('the end of a peer does not give the socket back', async ({ websocket, peer }) => {
  const { _socket: socket } = websocket;
  const isAsMade = Object.getPrototypeOf(socket) === genuine;
  const seen = [];
  for (const event of ['end', 'finish', 'close']) socket.on(event, () => seen.push(event));
  const ended = once(socket, 'end');
  peer.socket.end();
  await ended;
  if (!isAsMade && !socket.destroyed) expect(Object.getPrototypeOf(socket)).not.toBe(genuine);
  await once(websocket, 'close');
  return seen;
});

/** Methods that somebody replaces see what passes. */
for (const name of ['write', '_write', 'emit', 'push']) {
  compare(`${name} that is replaced sees the traffic`, async (connection) => {
    const { _socket: socket } = connection.websocket;
    const { [name]: original } = socket;
    let calls = 0;
    if (name === '_write') socket._writev = undefined;
    socket[name] = function (...args) {
      if (name !== 'emit' || args[0] === 'data') calls++;
      return original.apply(this, args);
    };
    return [await echoes(connection), calls > 0];
  });
}

compare(
  'a request that is refused by hand, whose peer resets',
  async ({ port }) => {
    const peer = await RawPeer.connect(port);
    const body = await peer.body();
    const other = await RawPeer.connect(port);
    other.socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    return [peer.head, body];
  },
  {
    verifyClient({ req }, callback) {
      if (req.headers.refused === undefined && !verified.has(req.socket.server)) {
        verified.add(req.socket.server);
        callback(true);
        return;
      }
      const { socket } = req;
      setImmediate(() => {
        socket.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n');
        socket.end('no');
        socket.on('finish', () => socket.destroy());
      });
    }
  }
);
const verified = new Set();

describe('who is given the socket back', () => {
  const isStream = process.env.FERROWS_TRANSPORT === 'stream';
  const isNative = (socket) => Object.getPrototypeOf(socket) !== genuine;

  async function withSocket(use, mode = 'port') {
    const context = await serve(libraries.ferrows, mode);
    try {
      const connection = await connect(context);
      await use(connection.websocket._socket);
      connection.peer.socket.destroy();
    } finally {
      await context.close();
    }
  }

  const chunk = Buffer.from([0x8a, 0]);
  const nothing = () => {};
  const ARGUMENTS = {
    pipe: [new Writable({ write: nothing })],
    connect: [0],
    write: [chunk],
    _write: [chunk, 'buffer', nothing],
    _writev: [[{ chunk, encoding: 'buffer' }], nothing],
    _writeGeneric: [false, chunk, 'buffer', nothing]
  };
  const rows = [...MEMBERS].filter(([name]) => name !== 'constructor' && TABLE.has(name));
  test.each(rows.map(([name]) => name))('%s', async (name) => {
    await withSocket(async (socket) => {
      const { get, value } = MEMBERS.get(name);
      expect(isNative(socket)).toBe(!isStream);
      if (isStream) return;
      if (get !== undefined) {
        void socket[name];
      } else if (TABLE.get(name) === 'given back') {
        expect(typeof value).toBe('function');
        socket.on('error', nothing);
        try {
          const result = socket[name](...(ARGUMENTS[name] || ['data', nothing, nothing]));
          if (result && typeof result.catch === 'function') result.catch(nothing);
        } catch {
          // What it was given need not suit it.
        }
      }
      expect(isNative(socket)).toBe(TABLE.get(name) !== 'given back');
    });
  });

  const REPLACED = ['write', '_write', '_writev', 'emit', 'push', 'on', '_handle'];
  describe.each(['port', 'noServer'])('by another member (%s)', (mode) => {
    test.each(REPLACED)('%s', async (name) => {
      await withSocket(async (socket) => {
        expect(isNative(socket)).toBe(!isStream);
        const { [name]: original } = name === '_handle' ? {} : socket;
        const replacement = name === '_handle' ? null : (...args) => original.apply(socket, args);
        socket[name] = replacement;
        expect(isNative(socket)).toBe(false);
        expect(socket[name]).toBe(replacement);
        socket.destroy();
      }, mode);
    });
  });
});
