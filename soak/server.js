// The server of the soak: echoes, does what commands among the messages say, and
// accounts for each connection to the process that forked it.
//
// Owns: three listeners: plain, compressing, and sockets taken over from Node's http.
// Forked by run.js with its options as JSON. Runs on: js.

'use strict';

const http = require('http');
const { once } = require('events');

const options = JSON.parse(process.argv[2]);
const WebSocket = require(options.library === 'ws' ? 'ws' : '..');
const Account = require('./account');
const contents = require('./contents');
const giveBack = require('./give-back');
const { Leftovers, settled } = require('./gauges');
const handOvers = require('./hand-overs');

const HOST = '127.0.0.1';
const MAX_PAYLOAD = 8 << 20;
// Who is still alive then is kept alive by a leftover.
const LIMIT = 60000;
const DEFLATE = { threshold: 64 };

const leftovers = new Leftovers();
const leak = [];
let connections = 0;
let closes = 0;
const complain = (complaint) => process.send({ complaint });

/** Does what a message says that begins with "!". */
const commands = {
  burn(websocket, account, milliseconds) {
    const end = Date.now() + Number(milliseconds);
    while (Date.now() < end);
  },
  close(websocket, account, code) {
    websocket.close(Number(code), 'asked to');
  },
  giveBack(websocket) {
    if (websocket._socket !== null) giveBack(websocket);
  },
  pause(websocket, account, milliseconds) {
    websocket.pause();
    setTimeout(() => websocket.resume(), Number(milliseconds));
  },
  ping(websocket, account, text) {
    websocket.ping(text, account.callback());
  },
  push(websocket, account, count, length) {
    for (let index = 0; index < Number(count); index++) {
      websocket.send(contents.pushed(index, Number(length)), account.callback());
    }
  },
  terminate(websocket) {
    websocket.terminate();
  }
};

function onConnection(websocket, request) {
  const query = new URL(request.url, 'ws://server').searchParams;
  const report = (account) => process.send({ account });
  const account = new Account(query.get('id'), report, complain);

  connections++;
  leftovers.add(websocket);
  websocket.binaryType = query.get('type') || 'nodebuffer';
  websocket.on('error', ({ code, message }) => account.errors.push(code || message));
  websocket.on('ping', () => account.pings++);
  websocket.on('close', (code) => {
    closes++;
    if (options.fault === 'leak' && connections % 2 === 0) leak.push(websocket);
    if (options.fault !== 'silence' || connections % 10 !== 0) account.onClose(code);
  });
  websocket.on('message', (data, isBinary) => {
    if (!isBinary && data[0] === 0x21) {
      const [name, ...values] = String(data).slice(1).split(' ');
      commands[name](websocket, account, ...values);
      return;
    }
    account.received++;
    const echo = Array.isArray(data) ? Buffer.concat(data) : data;
    if (options.fault === 'lose' && account.received === 20) return;
    if (options.fault === 'alter' && account.received === 20 && isBinary) echo[0] ^= 1;
    websocket.send(echo, { binary: isBinary }, account.callback());
  });
}

function verifyClient({ req }, callback) {
  if (req.url.startsWith('/refused')) callback(false, 401);
  else if (req.url.startsWith('/pending')) setTimeout(callback, 20, true);
  else callback(true);
}

async function main() {
  const common = { maxPayload: MAX_PAYLOAD, verifyClient };
  const port = { host: HOST, port: 0, backlog: 1024 };
  const server = http.createServer();
  const sockets = {
    plain: new WebSocket.Server({ ...common, ...port }),
    compressing: new WebSocket.Server({ ...common, ...port, perMessageDeflate: DEFLATE }),
    taken: new WebSocket.Server({
      ...common,
      server,
      perMessageDeflate: DEFLATE,
      allowSynchronousEvents: false
    })
  };
  server.listen(0, HOST, 1024);
  const ports = {};
  for (const [name, wss] of Object.entries(sockets)) {
    if (wss.address() === null) await once(wss, 'listening');
    ports[name] = wss.address().port;
    wss.on('connection', onConnection);
    wss.on('error', ({ message }) => complain(`the server's error: ${message}`));
  }
  const stop = handOvers.begin(options);

  const remains = () => ({
    clients: Object.values(sockets).reduce((sum, { clients }) => sum + clients.size, 0),
    connections: connections - closes,
    WebSockets: leftovers.count
  });
  process.on('message', async (question) => {
    if (question === 'gauges') {
      process.send({ gauges: { ...(await settled(remains)), connections } });
      return;
    }
    const changes = stop();
    await Promise.all(
      Object.values(sockets).map((wss) => new Promise((resolve) => wss.close(resolve)))
    );
    await new Promise((resolve) => server.close(resolve));
    // Nothing else may keep this process alive.
    process.send({ over: { changes } }, () => process.disconnect());
  });
  process.on('disconnect', () => setTimeout(() => process.exit(3), LIMIT).unref());
  process.send({ ports });
}

main();
