'use strict';

const path = require('path');

const { createApp, removeAll, tarball } = require('./harness');

afterAll(removeAll);

const COMPILERS = ['typescript', 'typescript-5'];
const MODES = [
  ['node16', 'node16'],
  ['nodenext', 'nodenext'],
  ['preserve', 'bundler'],
  ['esnext', 'bundler']
];

const ESM = `
import WebSocket, { Receiver, WebSocketServer, createWebSocketStream } from 'ferrows';
import type { ClientOptions, RawData, Server } from 'ferrows';
const server: Server = new WebSocketServer({ port: 0 });
const same: Server = new WebSocket.Server({ noServer: true });
server.on('connection', (websocket, request) => {
  const url: string | undefined = request.url;
  websocket.on('message', (data: RawData, isBinary) => websocket.send(data, { binary: isBinary }));
  websocket.close(1000, url);
});
class Named extends WebSocket {}
const options: ClientOptions = { maxPayload: 1 };
createWebSocketStream(new Named('ws://localhost', options)).pipe(new Receiver());
same.close();
`;
const CJS = `
import WebSocket = require('ferrows');
import { Server, WebSocketServer, type RawData } from 'ferrows';
const servers = [new Server({ port: 0 }), new WebSocketServer(), new WebSocket.Server()];
const send = (data: RawData) => new WebSocket('ws://localhost').send(data);
send(Buffer.from(String(servers.length)));
`;
// Not exported at run time, so not to be had as values.
const MISTAKES = `
import { RawData, Server } from 'ferrows';
// @ts-expect-error: a type only
new Server();
// @ts-expect-error: a type only
console.log(RawData);
// @ts-expect-error: a member of the class, no export
import { CONNECTING } from 'ferrows';
`;

/** Compiles files of an application; returns what the compiler has to say. */
function compile(app, compiler, [module, resolution], ...more) {
  const tsc = path.join('node_modules', compiler, 'bin', 'tsc');
  const options = ['--noEmit', '--strict', '--target', 'es2022'];
  return app.node(tsc, [...options, '--module', module, '--moduleResolution', resolution, ...more]);
}

describe('with @types/node', () => {
  let app;

  beforeAll(() => {
    app = createApp({ tools: ['@types/node', ...COMPILERS] });
    app.write('esm.mts', ESM);
    app.write('cjs.cts', CJS);
    app.write('bundled.ts', ESM);
    app.write('mistakes.mts', MISTAKES);
  });

  describe.each(COMPILERS)('%s', (compiler) => {
    test.each(MODES)('modules %s, resolution %s', (...mode) => {
      // What a bundler reads is ES modules.
      const third = mode[1] === 'bundler' ? 'bundled.ts' : 'cjs.cts';
      const files = ['esm.mts', 'mistakes.mts', third];
      expect(compile(app, compiler, mode, '--types', 'node', ...files)).toBe('');
    });
  });
});

test('without @types/node, the compiler says what to install', () => {
  const app = createApp({ tools: ['typescript'] });
  app.write('esm.mts', `import WebSocket from 'ferrows';\nnew WebSocket('ws://localhost');\n`);
  expect(compile(app, 'typescript', MODES[0], 'esm.mts')).toContain('@types/node');
});

test('are the types wrong? asks a tool, and finds nothing', () => {
  const app = createApp({ tools: ['@arethetypeswrong/cli'] });
  const attw = path.join('node_modules', '@arethetypeswrong', 'cli', 'dist', 'index.js');
  expect(app.node(attw, [tarball(), '--format', 'ascii'])).toContain('No problems found');
});
