// The library in a realm of its own, as test runners with a DOM and vm contexts make
// them: `Uint8Array` and `ArrayBuffer` there are not those of Node's modules.

'use strict';

const { spawn } = require('child_process');
const path = require('path');

const { ROOT } = require('../support/children');

// Runs in a process of its own: jest gives its realms Node's typed arrays.
const PROGRAM = `
  const fs = require('fs');
  const path = require('path');
  const vm = require('vm');
  const { createRequire } = require('module');
  const { once } = require('events');

  const names = ['process', 'Buffer', 'setTimeout', 'clearTimeout', 'setImmediate', 'queueMicrotask'];
  const outer = Object.fromEntries(names.map((name) => [name, globalThis[name]]));
  const realm = vm.createContext({ ...outer, URL, Blob, AbortController, console });
  vm.runInContext('globalThis.global = globalThis', realm);
  const loaded = new Map();

  function load(file) {
    if (loaded.has(file)) return loaded.get(file).exports;
    const module = { exports: {} };
    loaded.set(file, module);
    const outer = createRequire(file);
    const inner = (name) => {
      const found = outer.resolve(name);
      return found.startsWith(process.env.ROOT) && found.endsWith('.js') ? load(found) : outer(name);
    };
    const source = '(function (exports, require, module, __filename, __dirname) {' +
      fs.readFileSync(file, 'utf8') + '\\n})';
    const run = vm.runInContext(source, realm, { filename: file });
    run(module.exports, Object.assign(inner, outer), module, file, path.dirname(file));
    return module.exports;
  }

  const WebSocket = load(path.join(process.env.ROOT, 'index.js'));
  const inRealm = (source) => vm.runInContext(source, realm);
  const seen = [String(Uint8Array === inRealm('Uint8Array'))];

  (async () => {
    const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    await once(wss, 'listening');
    wss.on('connection', (websocket) => {
      websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
      websocket.on('ping', (data) => seen.push('ping ' + data));
      websocket.on('close', (code, reason) => seen.push('peer ' + code + ' ' + reason));
    });
    const end = { outer: new Uint8Array([98, 121, 101]), inner: inRealm('new Uint8Array([98, 121, 101])') };
    for (const binaryType of ['nodebuffer', 'arraybuffer', 'fragments']) {
      for (const reason of [end.outer, end.inner, Buffer.from('bye'), 'bye']) {
        const websocket = new WebSocket('ws://127.0.0.1:' + wss.address().port);
        websocket.binaryType = binaryType;
        await once(websocket, 'open');
        const sent = [
          new Uint8Array([1, 2]).buffer,
          inRealm('new Uint8Array([1, 2]).buffer'),
          new Uint8Array([1, 2]),
          inRealm('new Uint8Array([1, 2])'),
          inRealm('new Uint16Array([513])'),
          inRealm('new DataView(new Uint8Array([0, 1, 2]).buffer, 1)')
        ];
        for (const data of sent) {
          websocket.send(data);
          const [received] = await once(websocket, 'message');
          const bytes = Buffer.concat([received].flat().map((part) => Buffer.from(part)));
          seen.push(bytes.toString('hex'));
        }
        websocket.ping(sent[3]);
        websocket.close(4000, reason);
        const [code, text] = await once(websocket, 'close');
        seen.push(code + ' ' + text);
      }
    }
    wss.close(() => console.log(JSON.stringify(seen)));
  })();
`;

test.each(['native', 'stream'])('bytes of every realm are bytes (%s)', async (transport) => {
  const env = { ...process.env, ROOT };
  if (transport === 'stream') env.FERROWS_TRANSPORT = 'stream';
  const child = spawn(process.execPath, ['-e', PROGRAM], { env, cwd: path.join(ROOT) });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  await new Promise((resolve) => child.on('close', resolve));

  if (!output.startsWith('[')) throw new Error(output);
  const [sameRealm, ...seen] = JSON.parse(output);
  expect(sameRealm).toBe('false');
  const count = (text) => seen.filter((line) => line === text).length;
  expect(count('0102')).toBe(3 * 4 * 6);
  expect(count('ping \u0001\u0002')).toBe(3 * 4);
  expect(count('4000 bye')).toBe(3 * 4);
  expect(count('peer 4000 bye')).toBe(3 * 4);
  expect(seen).toHaveLength(3 * 4 * 9);
});
