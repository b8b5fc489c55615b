// Two servers on one http server, told apart by path: node examples/servers-by-path.js [port]

'use strict';

const http = require('http');

const WebSocket = require('..'); // require('ferrows') in your project

const server = http.createServer();
const wss1 = new WebSocket.Server({ noServer: true });
const wss2 = new WebSocket.Server({ noServer: true });

wss1.on('connection', (ws) => ws.send('this is /foo'));
wss2.on('connection', (ws) => ws.send('this is /bar'));

server.on('upgrade', (request, socket, head) => {
  const { pathname } = new URL(request.url, 'http://localhost');

  if (pathname === '/foo') {
    wss1.handleUpgrade(request, socket, head, (ws) => {
      wss1.emit('connection', ws, request);
    });
  } else if (pathname === '/bar') {
    wss2.handleUpgrade(request, socket, head, (ws) => {
      wss2.emit('connection', ws, request);
    });
  } else {
    socket.destroy();
  }
});

server.listen(Number(process.argv[2] || 8080));
