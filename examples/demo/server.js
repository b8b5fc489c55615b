// The demo: one port, a page, and three WebSocket servers told apart by path.
//
// node examples/demo/server.js [--port N]; PORT works, too; 0 lets the system
// choose. Ctrl-C ends it cleanly.

'use strict';

const http = require('http');

const chat = require('./chat');
const echo = require('./echo');
const page = require('./page');
const stats = require('./stats');

const DEFAULT_PORT = 8080;
const GOING_AWAY = 1001;
// Peers that do not answer the close frame are dropped after this many milliseconds.
const GRACE = 1000;

const servers = { '/chat': chat, '/echo': echo, '/stats': stats };

function chosenPort() {
  const at = process.argv.indexOf('--port');
  const text = at === -1 ? process.env.PORT : process.argv[at + 1];
  return text === undefined ? DEFAULT_PORT : Number(text);
}

function main() {
  const server = http.createServer(page);

  server.on('upgrade', (request, socket, head) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const wss = servers[pathname];
    if (wss === undefined) {
      socket.destroy();
      return;
    }
    wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
  });

  server.on('error', (error) => {
    if (error.code === 'EADDRINUSE') {
      console.error(`Port ${error.port} is taken; choose another with PORT=… or --port.`);
    } else {
      console.error(error.message);
    }
    process.exit(1);
  });

  server.listen(chosenPort(), () => {
    console.log(`ferrows demo: http://localhost:${server.address().port}`);
  });

  const shutDown = () => {
    const clients = Object.values(servers).flatMap((wss) => [...wss.clients]);
    for (const client of clients) client.close(GOING_AWAY, 'the demo ends');
    setTimeout(() => clients.forEach((client) => client.terminate()), GRACE).unref();
    stats.stop();
    server.close();
    server.closeIdleConnections?.();
  };
  process.once('SIGINT', shutDown);
  process.once('SIGTERM', shutDown);
}

main();
