// Two servers on one http server, told apart by path: node examples/servers-by-path.js [port]

'use strict';

const http = require('http');

const WebSocket = require('..'); // require('ferrows') in your project

const server = http.createServer((request, response) => {
  response.writeHead(426, { Upgrade: 'websocket' }).end('WebSockets only\n');
});
const servers = {
  '/foo': new WebSocket.Server({ noServer: true }),
  '/bar': new WebSocket.Server({ noServer: true })
};

for (const [path, wss] of Object.entries(servers)) {
  wss.on('connection', (ws) => {
    // Without a listener, a peer that breaks the protocol would end the process.
    ws.on('error', console.error);
    ws.send(`this is ${path}`);
  });
}

server.on('upgrade', (request, socket, head) => {
  // Not new URL(): it throws at targets like "//", and anybody can send one.
  const [path] = request.url.split('?', 1);

  if (!Object.hasOwn(servers, path)) {
    // Nobody else listens to this socket.
    socket.on('error', () => {});
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const wss = servers[path];
  wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
});

server.listen(Number(process.argv[2] || 8080));
