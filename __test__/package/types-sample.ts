// Compiled, not run: what users write in TypeScript.
import WebSocket, { WebSocketServer, type RawData } from '../..';
import { createServer } from 'http';

const server = new WebSocketServer({ port: 0, maxPayload: 1024 }, () => {});
server.on('connection', (websocket, request) => {
  const url: string | undefined = request.url;
  websocket.on('message', (data: RawData, isBinary) => {
    websocket.send(data as Buffer, { binary: isBinary }, (error) => error?.message);
  });
  websocket.close(1000, url);
});

const client = new WebSocket('ws://localhost', ['a'], { origin: 'x' });
client.onmessage = ({ data, target }) => target.send(data.toString());
client.addEventListener('close', ({ code, wasClean }) => [code + 1, wasClean]);
const open: boolean = client.readyState === WebSocket.OPEN;

const noServer = new WebSocket.Server({ noServer: true });
createServer().on('upgrade', (request, socket, head) => {
  noServer.handleUpgrade(request, socket, head, (websocket) => {
    noServer.emit('connection', websocket, request, open);
  });
});
