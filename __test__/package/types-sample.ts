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

class Named extends WebSocket {
  name = '';
}
const named = new WebSocket.Server({ noServer: true, WebSocket: Named });
named.on('connection', (websocket) => websocket.name.toUpperCase());
named.clients.forEach((websocket: Named) => websocket.ping(() => {}));

const stream = WebSocket.createWebSocketStream(client, { encoding: 'utf8' });
stream.pipe(process.stdout);

client.once('unexpected-response', (request, response) => [request.path, response.statusCode]);
client.off('close', (code, reason) => [code + 1, reason.toString()]);
client.on('ping', (data) => client.pong(data, undefined, (error) => error.message));
client.send(new Blob(['x']));
client.send([1, 2, 3], { binary: true });

const [header, payload] = WebSocket.Sender.frame(Buffer.from('x'), { opcode: 1, fin: true });
server.once('connection', (websocket) =>
  websocket.send(Buffer.concat([header, payload].map(Buffer.from)))
);
