'use strict';

// Methods of the prototypes that somebody replaced, as instrumentation does, and what frameworks
// do with the upgrade request.

const http = require('http');
const { once } = require('events');

const { libraries } = require('../support/libraries');

async function serve(WebSocket, mode) {
  if (mode === 'port') {
    const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    await once(wss, 'listening');
    return { wss, port: wss.address().port, close: () => wss.close() };
  }
  const server = http.createServer();
  const wss = new WebSocket.Server(mode === 'server' ? { server } : { noServer: true });
  if (mode === 'noServer') {
    server.on('upgrade', (request, socket, head) => {
      wss.handleUpgrade(request, socket, head, (websocket) => {
        wss.emit('connection', websocket, request);
      });
    });
  }
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    wss.close();
    server.close();
  };
  return { wss, port: server.address().port, close };
}

/** Two ends that talk and part; `begin` is called when the server is made. */
async function converse(WebSocket, mode, begin) {
  const { wss, port, close } = await serve(WebSocket, mode);
  begin();
  const connected = once(wss, 'connection');
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
  const opened = once(client, 'open');
  const [websocket] = await connected;
  websocket.on('message', (data) => websocket.send(`${data} too`));
  websocket.addEventListener('close', () => {});
  await opened;
  client.send('a');
  await once(client, 'message');
  client.ping('x');
  await once(client, 'pong');
  client.close(1000);
  await Promise.all([once(client, 'close'), once(websocket, 'close')]);
  close();
  await new Promise(setImmediate);
}

const METHODS = {
  Server: ['handleUpgrade', 'completeUpgrade', 'shouldHandle', 'emit', 'on', 'close'],
  WebSocket: ['send', 'emit', 'setSocket', 'addEventListener', 'close', 'ping', 'pong', 'emitClose']
};
const rows = ['port', 'server', 'noServer'].flatMap((mode) =>
  ['before', 'after'].flatMap((when) =>
    Object.entries(METHODS).flatMap(([of, names]) => names.map((name) => [of, name, when, mode]))
  )
);

test.each(rows)(
  '%s.prototype.%s, replaced %s the server is made (%s)',
  async (of, name, when, mode) => {
    const results = {};
    for (const [library, WebSocket] of Object.entries(libraries)) {
      const { prototype } = of === 'Server' ? WebSocket.Server : WebSocket;
      const own = Object.getOwnPropertyDescriptor(prototype, name);
      const { [name]: original } = prototype;
      const calls = [];
      const patch = () => {
        prototype[name] = function (...args) {
          calls.push(name === 'emit' || name === 'on' ? String(args[0]) : args.length);
          return original.apply(this, args);
        };
      };
      if (when === 'before') patch();
      try {
        await converse(WebSocket, mode, when === 'after' ? patch : () => {});
      } finally {
        if (own === undefined) delete prototype[name];
        else Object.defineProperty(prototype, name, own);
      }
      results[library] = calls.sort();
    }
    expect(results.ferrows).toEqual(results.ws);
  }
);

test.each(['port', 'server', 'noServer'])(
  'the upgrade request in a framework (%s)',
  async (mode) => {
    const results = {};
    for (const [library, WebSocket] of Object.entries(libraries)) {
      const { wss, port, close } = await serve(WebSocket, mode);
      const connected = once(wss, 'connection');
      const client = new WebSocket(`ws://127.0.0.1:${port}/a?b`, { headers: { 'X-A': '1' } });
      client.on('error', () => {});
      const [websocket, request] = await connected;
      const seen = [Object.keys(request).sort()];
      const copy = { ...request };
      seen.push([copy.url, copy.method, typeof copy.socket, typeof copy.rawHeaders]);
      const framework = Object.create(http.IncomingMessage.prototype);
      framework.hello = () => 'hello';
      Object.setPrototypeOf(request, framework);
      seen.push([request.hello(), request.url, request.headers['x-a'], request.complete]);
      seen.push([request.client === request.socket, request.socket === websocket._socket]);
      for (const event of ['data', 'end', 'close', 'error'])
        request.on(event, () => seen.push(event));
      const ended = once(request, 'end');
      request.resume();
      await ended;
      const closed = once(websocket, 'close');
      client.terminate();
      await closed;
      await new Promise(setImmediate);
      seen.push([request.readableEnded, request.destroyed, request.aborted]);
      close();
      results[library] = seen;
    }
    expect(results.ferrows).toEqual(results.ws);
  }
);
