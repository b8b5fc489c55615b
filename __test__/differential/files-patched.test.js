'use strict';

// Tools that watch a process replace methods when a file of ws is loaded, before the next one is.

const { execFileSync } = require('child_process');
const path = require('path');

const ROOTS = {
  ws: path.dirname(require.resolve('ws/package.json')),
  ferrows: path.join(__dirname, '..', '..')
};

const PROGRAM = `
  const http = require('http');
  const Module = require('module');
  const path = require('path');
  const { once } = require('events');
  const root = process.argv[1];
  const METHODS = {
    'lib/websocket.js': ['setSocket', 'send', 'close', 'terminate'],
    'lib/websocket-server.js': ['handleUpgrade', 'completeUpgrade', 'emit']
  };
  const files = new Map(
    Object.entries(METHODS).map(([file, methods]) => [path.join(root, file), methods])
  );
  const counts = {};
  const { _load: load } = Module;
  Module._load = function (name, parent, ...rest) {
    const exports = load.call(this, name, parent, ...rest);
    const file = name.startsWith('.') ? Module._resolveFilename(name, parent) : name;
    const { prototype } = exports;
    for (const method of files.get(file) || []) {
      const original = prototype[method];
      prototype[method] = function (...args) {
        const what = method === 'emit' ? method + ' ' + args[0] : method;
        counts[what] = (counts[what] || 0) + 1;
        return original.apply(this, args);
      };
    }
    files.delete(file);
    return exports;
  };
  const WebSocket = require(root);
  (async () => {
    const server = http.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const wss = new WebSocket.Server({ server });
    const left = new Promise((resolve) => wss.on('connection', (websocket) => {
      websocket.on('message', (data) => websocket.send(data));
      websocket.on('close', resolve);
    }));
    const client = new WebSocket('ws://127.0.0.1:' + server.address().port);
    await once(client, 'open');
    client.send('text');
    await once(client, 'message');
    client.close();
    await Promise.all([left, once(client, 'close')]);
    server.close();
    console.log(JSON.stringify(counts));
  })();`;

test('methods replaced while the library is loaded are called', () => {
  const counts = (name) =>
    JSON.parse(execFileSync(process.execPath, ['-e', PROGRAM, ROOTS[name]], { encoding: 'utf8' }));
  const expected = counts('ws');
  expect(expected).toMatchObject({ setSocket: 2, send: 2, handleUpgrade: 1, completeUpgrade: 1 });
  expect(counts('ferrows')).toEqual(expected);
});
