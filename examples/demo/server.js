// The demo: one port, a page, and three WebSocket servers told apart by path.
//
// node examples/demo/server.js [--port N] [--host NAME]; PORT and HOST work, too;
// port 0 lets the system choose. Ctrl-C ends it cleanly.
// Tests: __test__/examples/demo.test.js, __test__/browser/demo.test.js.

'use strict';

const http = require('http');

const chat = require('./chat');
const comparison = require('./comparison');
const echo = require('./echo');
const page = require('./page');
const settings = require('./settings');

const GOING_AWAY = 1001;
// Peers that do not answer the close frame are dropped after this many milliseconds.
const GRACE = 1000;

const servers = { '/chat': chat, '/comparison': comparison, '/echo': echo };

/** Whether a browser says that the request comes from another site. */
function isForeign({ headers: { host, origin } }) {
  if (origin === undefined) return false;
  try {
    return new URL(origin).host !== host;
  } catch {
    return true;
  }
}

function refuse(socket, status) {
  // Nobody else listens to this socket.
  socket.on('error', () => {});
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
  );
}

function upgrade(request, socket, head) {
  // Not new URL(): it throws at targets like "//", and anybody can send one.
  const [target] = request.url.split('?', 1);
  if (!Object.hasOwn(servers, target)) {
    refuse(socket, 404);
  } else if (isForeign(request)) {
    refuse(socket, 403);
  } else {
    const wss = servers[target];
    wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
  }
}

function explain({ code, message, port }, { host }) {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} is taken: choose another with PORT=… or --port.`;
    case 'EACCES':
      return `Port ${port} may not be used by this user: choose another with PORT=… or --port.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `"${host}" is no address of this machine: choose another with HOST=… or --host.`;
    default:
      return message;
  }
}

function stop(message) {
  console.error(message);
  process.exit(1);
}

function main() {
  let address;
  try {
    address = settings(process.argv.slice(2), process.env);
  } catch (error) {
    stop(error.message);
  }
  const server = http.createServer(page);
  server.on('upgrade', upgrade);
  server.on('error', (error) => stop(explain(error, address)));
  server.listen(address, () => {
    const { port } = server.address();
    const host = address.host.includes(':') ? `[${address.host}]` : address.host;
    console.log(`ferrows demo: http://${host}:${port}`);
  });

  const shutDown = () => {
    const clients = Object.values(servers).flatMap((wss) => [...wss.clients]);
    for (const client of clients) client.close(GOING_AWAY, 'the demo ends');
    setTimeout(() => clients.forEach((client) => client.terminate()), GRACE).unref();
    comparison.stop();
    server.close();
    server.closeIdleConnections?.();
  };
  process.once('SIGINT', shutDown);
  process.once('SIGTERM', shutDown);
}

main();
