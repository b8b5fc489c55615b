// AsyncLocalStorage: which store handlers see, beside ws.

'use strict';

const http = require('http');
const path = require('path');
const { execFileSync } = require('child_process');
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

// Two connections talk to a server that was loaded and made with a store in force; the handler
// enters another one. What both see, in order, one turn for both and one for each.
const TWO_CONNECTIONS = `
  const { AsyncLocalStorage } = require('async_hooks');
  const { once } = require('events');
  const storage = new AsyncLocalStorage();
  let wss;
  storage.run('loading', () => {
    const WebSocket = require(process.argv[1]);
    wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
  });
  const Client = require('ws');
  const seen = [];
  wss.on('connection', (ws) => ws.on('message', (data) => {
    seen.push(data + ': ' + storage.getStore());
    if (String(data) === 'enter') storage.enterWith('entered');
    ws.send('');
  }));
  wss.on('listening', async () => {
    const open = async () => {
      const ws = new Client('ws://127.0.0.1:' + wss.address().port);
      await once(ws, 'open');
      return ws;
    };
    const [first, second] = [await open(), await open()];
    for (const texts of [['enter', 'at once'], [null, 'later'], ['again', null]]) {
      const answers = [];
      for (const [index, ws] of [first, second].entries()) {
        if (texts[index] === null) continue;
        answers.push(once(ws, 'message'));
        ws.send(texts[index]);
      }
      await Promise.all(answers);
    }
    console.log(JSON.stringify(seen.sort()));
    process.exit();
  });
`;

test('stores of the module that loads the library, and of handlers, stay theirs', () => {
  const options = { encoding: 'utf8', timeout: 20000 };
  const [theirs, ours] = [require.resolve('ws'), path.join(__dirname, '..', '..')].map((library) =>
    JSON.parse(execFileSync(process.execPath, ['-e', TWO_CONNECTIONS, library], options))
  );
  expect(theirs).toEqual(expect.arrayContaining(['at once: undefined', 'later: undefined']));
  expect(ours).toEqual(theirs);
});
