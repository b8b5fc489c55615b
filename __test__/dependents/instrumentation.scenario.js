'use strict';

// What watches a process through patches of ws, applied while it is loaded. Each program is a
// process of its own: patches come before the first require of ws.

const assert = require('assert');
const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');
const { once } = require('events');

const { scenario } = require('./scenario');

/** Runs a program, which prints JSON as its last line. */
async function run(later, name, source, args = []) {
  const file = path.join(__dirname, name);
  fs.writeFileSync(file, source);
  later(() => fs.rmSync(file));
  const child = spawn(process.execPath, [...args, file], { cwd: __dirname });
  later(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const [status] = await once(child, 'close');
  assert.equal(status, 0, output);
  return JSON.parse(output.trim().split('\n').pop());
}

// A server and a client that say something. `seen` is printed when both have closed.
const TALK = `
  async function talk(http, once, WebSocket, WebSocketServer, seen) {
    const server = http.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const wss = new WebSocketServer({ server });
    const left = new Promise((resolve) => wss.on('connection', (websocket) => {
      websocket.on('message', (data) => websocket.send('back: ' + data));
      websocket.on('close', resolve);
    }));
    const client = new WebSocket('ws://127.0.0.1:' + server.address().port);
    await once(client, 'open');
    const answer = once(client, 'message');
    client.send('text');
    seen.push('got ' + (await answer)[0]);
    const closed = once(client, 'close');
    client.close(4000, 'enough');
    seen.push('closed ' + (await closed)[0]);
    await left;
    server.close();
    console.log(JSON.stringify(seen));
  }`;

const PATCH = `
  function wrap(target, method, seen) {
    const original = target[method];
    target[method] = function (...args) {
      if (method !== 'emit') seen.push(method);
      else if (args[0] === 'headers' || args[0] === 'connection') seen.push('emit ' + args[0]);
      return original.apply(this, args);
    };
  }
  function subclass(WebSocket, seen) {
    return class extends WebSocket {
      constructor(...args) {
        super(...args);
        seen.push(args[0] === null ? 'accepted' : 'connecting');
      }
    };
  }`;

scenario('patches by require-in-the-middle: prototypes and the class', async (later) => {
  const program = `
    const http = require('http');
    const { once } = require('events');
    const { Hook } = require('require-in-the-middle');
    ${PATCH} ${TALK}
    const seen = [];
    new Hook(['ws'], (exports) => {
      for (const method of ['send', 'close']) wrap(exports.prototype, method, seen);
      for (const method of ['handleUpgrade', 'emit']) wrap(exports.Server.prototype, method, seen);
      return subclass(exports, seen);
    });
    const WebSocket = require('ws');
    talk(http, once, WebSocket, WebSocket.Server, seen);`;
  assert.deepEqual(await run(later, 'ritm.cjs', program), [
    ...['connecting', 'handleUpgrade', 'emit headers', 'emit connection'],
    ...['send', 'send', 'got back: text', 'close', 'close', 'close', 'closed 4000']
  ]);
});

scenario("patches of ws's own files by require-in-the-middle, as of dd-trace", async (later) => {
  const program = `
    const http = require('http');
    const path = require('path');
    const { once } = require('events');
    const { Hook } = require('require-in-the-middle');
    ${PATCH} ${TALK}
    const seen = [];
    const METHODS = {
      'lib/websocket.js': ['setSocket', 'send', 'close'],
      'lib/websocket-server.js': ['handleUpgrade', 'emit']
    };
    new Hook(['ws'], { internals: true }, (exports, name, folder) => {
      for (const [file, methods] of Object.entries(METHODS)) {
        if (name !== path.join('ws', file)) continue;
        for (const method of methods) wrap(exports.prototype, method, seen);
      }
      return exports;
    });
    const WebSocket = require('ws');
    talk(http, once, WebSocket, WebSocket.Server, seen);`;
  const seen = await run(later, 'files.cjs', program);
  // Which of the two sides is ready first is not said.
  const count = (what) => seen.filter((each) => each === what).length;
  assert.deepEqual(
    ['handleUpgrade', 'emit headers', 'emit connection', 'setSocket', 'send', 'close'].map(count),
    [1, 1, 1, 2, 2, 3]
  );
});

scenario('patches by import-in-the-middle: an ES module imports ws', async (later) => {
  const program = `
    import { register } from 'node:module';
    import http from 'node:http';
    import { once } from 'node:events';
    register('import-in-the-middle/hook.mjs', import.meta.url);
    const { Hook } = (await import('import-in-the-middle')).default;
    ${PATCH} ${TALK}
    const seen = [];
    new Hook(['ws'], (exports) => {
      for (const method of ['send', 'close']) wrap(exports.default.prototype, method, seen);
      wrap(exports.WebSocketServer.prototype, 'handleUpgrade', seen);
      const { WebSocket } = exports;
      exports.WebSocket = subclass(WebSocket, seen);
    });
    const ws = await import('ws');
    if (ws.WebSocket === ws.default) throw new Error('It was not replaced');
    const named = 'createWebSocketStream default Receiver Sender WebSocket WebSocketServer';
    for (const name of named.split(' ')) if (!(name in ws)) throw new Error(name + ' is missing');
    await talk(http, once, ws.WebSocket, ws.WebSocketServer, seen);`;
  assert.deepEqual(await run(later, 'iitm.mjs', program, ['--no-warnings']), [
    ...['connecting', 'handleUpgrade'],
    ...['send', 'send', 'got back: text', 'close', 'close', 'close', 'closed 4000']
  ]);
});

scenario('OpenTelemetry: spans of opentelemetry-instrumentation-ws', async (later) => {
  const program = `
    const sdk = require('@opentelemetry/sdk-trace-base');
    const { registerInstrumentations } = require('@opentelemetry/instrumentation');
    const { WSInstrumentation } = require('opentelemetry-instrumentation-ws');
    const exporter = new sdk.InMemorySpanExporter();
    const spanProcessors = [new sdk.SimpleSpanProcessor(exporter)];
    const tracerProvider = new sdk.BasicTracerProvider({ spanProcessors });
    const instrumentation = new WSInstrumentation();
    instrumentation.disable();
    instrumentation.setConfig({ sendSpans: true, messageEvents: true });
    // It asks for the version of what is called ws: ferrows has versions of its own.
    for (const module of instrumentation._modules) module.supportedVersions = ['*'];
    instrumentation.enable();
    registerInstrumentations({ instrumentations: [instrumentation], tracerProvider });
    const http = require('http');
    const { once } = require('events');
    ${TALK}
    const WebSocket = require('ws');
    const seen = [];
    process.on('exit', () => {
      const spans = exporter.getFinishedSpans();
      const told = spans.map(({ name, kind, status, events }) => {
        return [name, kind, status.code, ...events.map((event) => event.name)].join(' ');
      });
      console.log(JSON.stringify(told.sort()));
    });
    talk(http, once, WebSocket, WebSocket.Server, seen);`;
  const [CLIENT, SERVER] = [2, 1];
  assert.deepEqual(await run(later, 'otel.cjs', program), [
    `HTTP GET WS ${SERVER} 0`,
    ...Array(2).fill(`WS close ${CLIENT} 0`),
    `WS connect ${CLIENT} 0`,
    `WS open ${CLIENT} 0 ws.incoming-message`,
    `WS send ${CLIENT} 0`,
    `WS upgrade ${SERVER} 0`
  ]);
});
