// Answers to peers that are refused, when the peer resets: whatever is written to the socket
// never ends a process that ws would not end.

'use strict';

const { run } = require('../support/children');

const ROUNDS = 150;
const ANSWER = "'HTTP/1.1 400 Bad Request\\r\\nConnection: close\\r\\n\\r\\n' + 'x'.repeat(1000)";

// How a program refuses, given `library`, the options of its server and the server.
const REFUSALS = {
  'end() in wsClientError': `
    wss.on('wsClientError', (error, socket) => socket.end(${ANSWER}));
    head = bad;`,
  'write() and destroy() in wsClientError': `
    wss.on('wsClientError', (error, socket) => { socket.write(${ANSWER}); socket.destroy(); });
    head = bad;`,
  'end() in wsClientError, a turn later': `
    wss.on('wsClientError', (error, socket) => setTimeout(() => socket.end(${ANSWER}), 2));
    head = bad;`,
  'several writes in wsClientError': `
    wss.on('wsClientError', (error, socket) => {
      socket.write(${ANSWER});
      setTimeout(() => { socket.write(${ANSWER}); socket.end(); }, 2);
    });
    head = bad;`,
  'by itself': 'head = bad;',
  verifyClient: 'wss.options.verifyClient = () => false;',
  'verifyClient with a callback, later':
    'wss.options.verifyClient = (info, done) => setTimeout(done, 2, false, 403);',
  'a socket that verifyClient answers': `
    wss.options.verifyClient = ({ req }, done) => setTimeout(() => req.socket.end(${ANSWER}), 1);`,
  shouldHandle: 'wss.shouldHandle = () => false;',
  'a WebSocket that is closed at once': "wss.on('connection', (ws) => ws.close(1008, 'no'));"
};

const PROGRAM = (library, mode, refusal) => `
  const Library = ${library === 'ws' ? "require('ws')" : 'WebSocket'};
  const http = require('http');
  const net = require('net');
  const { once } = require('events');
  const lines = ['GET / HTTP/1.1', 'Host: a', 'Connection: Upgrade', 'Upgrade: websocket'];
  const good = [...lines, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  const bad = lines;
  let head = good;
  (async () => {
    const server = ${mode === 'port'} ? null : http.createServer().listen(0, '127.0.0.1');
    const wss = new Library.Server(server === null ? { port: 0, host: '127.0.0.1' } : { server });
    if (server === null || !server.listening) await once(server || wss, 'listening');
    ${refusal}
    const { port } = wss.address();
    for (let round = 0; round < ${ROUNDS}; round++) {
      const peer = net.connect(port, '127.0.0.1');
      peer.on('error', () => {});
      await once(peer, 'connect');
      peer.write([...head, '\\r\\n'].join('\\r\\n'));
      // At once, after a turn or two, when something came.
      for (let turn = round % 4; turn > 0; turn--) await new Promise(setImmediate);
      if (round % 5 === 4) await Promise.race([once(peer, 'data'), new Promise((r) => setTimeout(r, 20))]);
      peer.resetAndDestroy();
    }
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 2));
    console.log('alive');
    process.exit();
  })();`;

const rows = ['port', 'server'].flatMap((mode) =>
  Object.entries(REFUSALS).map(([name, refusal]) => [name, mode, refusal])
);

test.each(rows)('%s (%s)', async (name, mode, refusal) => {
  const ends = {};
  for (const library of ['ws', 'ferrows']) {
    const { code, out, err } = await run(PROGRAM(library, mode, refusal)).ended;
    ends[library] = { code, out, err };
  }
  expect(ends.ws).toEqual({ code: 0, out: 'alive\n', err: '' });
  expect(ends.ferrows).toEqual(ends.ws);
});
