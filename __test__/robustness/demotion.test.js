'use strict';

// Connections whose sockets are touched in the middle of traffic in both directions: not a byte
// is lost, doubled or out of order, and every callback comes.

const http = require('http');
const net = require('net');
const { once } = require('events');

const WebSocket = require('../..');
const Reference = require('ws');

const CONNECTIONS = 12;
const MESSAGES = 60;

/** A generator of numbers below a bound, the same for the same seed. */
function numbers(seed) {
  let state = seed + 0x9e3779b9;
  return (bound) => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    state ^= state >>> 12;
    return (state >>> 0) % bound;
  };
}

const SIZES = [0, 1, 100, 130, 5000, 20_000, 70_000, 200_000];

/** The message with this number, which compresses somewhat. */
function messageOf(connection, direction, index) {
  const next = numbers(connection * 1000003 + direction * 7919 + index);
  const bytes = Buffer.alloc(SIZES[next(SIZES.length)]);
  for (let at = 0; at < bytes.length; at += 1 + next(40)) bytes[at] = next(256);
  return bytes;
}

/** Sends all messages, some in fragments, some uncompressed, a few in one tick. */
function sendAll(websocket, connection, direction) {
  const next = numbers(connection * 31 + direction);
  return new Promise((resolve, reject) => {
    let index = 0;
    let confirmed = 0;
    const onWritten = (expected) => (error) => {
      if (error) reject(error);
      else if (expected !== confirmed++) reject(new Error(`callback ${expected} out of order`));
      else if (confirmed === MESSAGES) resolve();
    };
    const step = () => {
      for (let burst = next(6); burst >= 0 && index < MESSAGES; burst--) {
        const data = messageOf(connection, direction, index);
        const compress = next(3) !== 0;
        if (next(3) === 0) {
          const cut = next(data.length + 1);
          websocket.send(data.subarray(0, cut), { fin: false, compress });
          if (next(2) === 0) websocket.ping('between');
          websocket.send(data.subarray(cut), onWritten(index));
        } else {
          websocket.send(data, { compress }, onWritten(index));
        }
        index++;
      }
      if (index < MESSAGES) setImmediate(step);
    };
    step();
  });
}

/** Compares all messages. */
function receiveAll(websocket, connection, direction, onMessage = () => {}) {
  return new Promise((resolve, reject) => {
    let index = 0;
    websocket.on('message', (data) => {
      const expected = messageOf(connection, direction, index);
      if (!expected.equals(data)) {
        reject(
          new Error(`message ${index} of ${connection}: ${data.length}, not ${expected.length}`)
        );
      }
      if (++index === MESSAGES) resolve();
      onMessage(index);
    });
    websocket.on('close', (code) => reject(new Error(`closed with ${code} after ${index}`)));
    websocket.on('error', reject);
  });
}

const TOUCHES = {
  'on data': (websocket) => websocket._socket.on('data', () => {}),
  cork(websocket) {
    websocket._socket.cork();
    setImmediate(() => websocket._socket.uncork());
  },
  handle: (websocket) => websocket._socket._handle.getAsyncId(),
  'write a pong': (websocket) => {
    // Whole frames of one's own are in order with those of the WebSocket; a client's are masked.
    const header = websocket._isServer ? [0x8a, 0] : [0x8a, 0x80, 1, 2, 3, 4];
    websocket._socket.write(Buffer.from(header));
  },
  'in a pause': (websocket) => {
    websocket.pause();
    setImmediate(() => {
      websocket._socket.prependListener('data', () => {});
      setImmediate(() => websocket.resume());
    });
  },
  'in a pause of the socket': (websocket) => {
    websocket._socket.pause();
    setTimeout(() => {
      websocket._socket.unshift(Buffer.alloc(0));
      setImmediate(() => websocket._socket.resume());
    }, 1);
  }
};

const LEVELS = {
  plain: false,
  compressed: { threshold: 0 },
  'without takeover': { serverNoContextTakeover: true, clientNoContextTakeover: true }
};

/** Connects pairs of a server and a client, of which one is ours, and passes ours to `use`. */
async function withPairs(side, mode, perMessageDeflate, use) {
  const Server = side === 'server' ? WebSocket.Server : Reference.Server;
  const Client = side === 'server' ? Reference : WebSocket;
  const server = mode === 'server' ? http.createServer() : null;
  const options = { perMessageDeflate, host: '127.0.0.1' };
  const wss = new Server(server ? { perMessageDeflate, server } : { ...options, port: 0 });
  if (server) server.listen(0, '127.0.0.1');
  wss.setMaxListeners(0);
  await once(server || wss, 'listening');
  const port = (server || wss).address().port;
  const clients = [];
  try {
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async (_, connection) => {
        const accepted = new Promise((resolve) => {
          wss.on('connection', (websocket, { url }) => {
            if (url === `/${connection}`) resolve(websocket);
          });
        });
        const client = new Client(`ws://127.0.0.1:${port}/${connection}`, {
          perMessageDeflate: perMessageDeflate || false
        });
        clients.push(client);
        await once(client, 'open');
        const other = await accepted;
        const [ours, theirs] = side === 'server' ? [other, client] : [client, other];
        await use(ours, theirs, connection);
      })
    );
  } finally {
    for (const client of clients) {
      client.removeAllListeners('close');
      client.on('error', () => {}).terminate();
    }
    for (const client of wss.clients) {
      client.removeAllListeners('close');
      client.on('error', () => {}).terminate();
    }
    await new Promise((resolve) => wss.close(resolve));
    if (server) await new Promise((resolve) => server.close(resolve));
  }
}

describe.each(Object.keys(LEVELS))('%s', (level) => {
  const modes = [
    ['server', 'port'],
    ['server', 'server'],
    ['client', 'port']
  ];
  test.each(modes)(
    'sockets that are touched under load (our %s, %s mode)',
    async (side, mode) => {
      const touches = Object.values(TOUCHES);
      await withPairs(side, mode, LEVELS[level], async (ours, theirs, connection) => {
        const next = numbers(connection);
        const touchAt = 1 + next(MESSAGES / 2);
        const received = receiveAll(ours, connection, 0, (index) => {
          if (index === touchAt) touches[connection % touches.length](ours);
        });
        await Promise.all([
          received,
          receiveAll(theirs, connection, 1),
          sendAll(theirs, connection, 0),
          sendAll(ours, connection, 1)
        ]);
        expect(ours._socket).toBeInstanceOf(net.Socket);
      });
    },
    120_000
  );
});
