// AsyncLocalStorage: which store handlers see, beside ws.

'use strict';

const http = require('http');
const { AsyncLocalStorage } = require('async_hooks');
const { once } = require('events');

const { libraries } = require('../support/libraries');

const storage = new AsyncLocalStorage();

/** Notes the store that each event's listener sees. */
function note(emitter, events, trace, name) {
  for (const event of events) {
    emitter.on(event, () => trace.add(`${name} ${event}: ${storage.getStore()}`));
  }
}

async function run(WebSocket, mode) {
  const trace = new Set();
  const events = ['message', 'ping', 'pong', 'close'];
  let wss;
  let server = null;
  await storage.run('server', async () => {
    if (mode === 'port') {
      wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
      await once(wss, 'listening');
    } else {
      server = http.createServer();
      wss = new WebSocket.Server({ noServer: true });
      server.on('upgrade', (request, socket, head) => {
        storage.run('upgrade', () => {
          wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
  });
  note(wss, ['listening', 'connection', 'close'], trace, 'wss');
  wss.on('connection', (ws) => {
    note(ws, events, trace, 'accepted');
    ws.on('message', (data) => ws.send(data));
    ws.send('hello', () => trace.add(`sent: ${storage.getStore()}`));
  });
  const { port } = (server || wss).address();
  const clients = ['a', 'b'].map((name) =>
    storage.run(name, () => {
      const ws = new WebSocket(`ws://127.0.0.1:${port}`);
      note(ws, ['open', 'upgrade', ...events], trace, name);
      return ws;
    })
  );
  await Promise.all(
    clients.map(async (ws) => {
      await once(ws, 'message');
      ws.send('echo');
      ws.ping();
      await once(ws, 'pong');
      const closed = once(ws, 'close');
      ws.close();
      await closed;
    })
  );
  while (wss.clients.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const closed = once(wss, 'close');
  wss.close();
  await closed;
  if (server !== null) await new Promise((resolve) => server.close(resolve));
  return [...trace].sort();
}

test.each(['port', 'noServer'])(
  'handlers see the store that they see with ws (%s)',
  async (mode) => {
    const expected = await run(libraries.ws, mode);
    expect(expected).toContain('a message: a');
    expect(await run(libraries.ferrows, mode)).toEqual(expected);
  }
);
