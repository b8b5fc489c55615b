'use strict';

const path = require('path');
const { pathToFileURL } = require('url');
const { execFileSync } = require('child_process');

const WebSocket = require('../..');
const packageJson = require('../../package.json');

const root = path.join(__dirname, '..', '..');

test('the module is the class, with ws its names on it', () => {
  expect(WebSocket.name).toBe('WebSocket');
  expect(WebSocket.length).toBe(3);
  expect(WebSocket.WebSocket).toBe(WebSocket);
  expect(WebSocket.Server).toBe(WebSocket.WebSocketServer);
  expect(WebSocket.Server.name).toBe('WebSocketServer');
  expect(WebSocket.Server).toHaveLength(2);
  expect(() => WebSocket('ws://localhost')).toThrow(TypeError);
});

test('modules get the same class as require()', () => {
  const wrapper = pathToFileURL(path.join(root, 'wrapper.mjs')).href;
  const script = `
    import def, { WebSocket, WebSocketServer } from ${JSON.stringify(wrapper)};
    import { createRequire } from 'module';
    const cjs = createRequire(${JSON.stringify(wrapper)})('./index.js');
    console.log(def === cjs, WebSocket === cjs, WebSocketServer === cjs.Server);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8'
  });
  expect(output.trim()).toBe('true true true');
});

test('a browser bundle loads and says so only when it is used', () => {
  const browser = require('../../browser.js');
  expect(() => browser()).toThrow(/browser/);
  expect(() => new browser('ws://localhost')).toThrow(/browser/);
});

test('only the package itself and its package.json are exported', () => {
  expect(Object.keys(packageJson.exports)).toEqual(['.', './package.json']);
  // The first condition that holds is taken: a bundler for browsers must not come to the others.
  expect(Object.keys(packageJson.exports['.'])).toEqual(['browser', 'import', 'require']);
});

test('environment variables of ws are accepted and change nothing', () => {
  const env = { ...process.env, WS_NO_BUFFER_UTIL: '1', WS_NO_UTF_8_VALIDATE: '1' };
  const script = `console.log(typeof require(${JSON.stringify(root)}))`;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', env })).toBe(
    'function\n'
  );
});

test('a missing addon is reported with its path, the remedy and the cause', () => {
  const env = { ...process.env, FERROWS_NATIVE_PATH: '/nonexistent/ferrows.node' };
  const script = `try { require(${JSON.stringify(root)}) } catch (e) {
    console.log(e.message.includes('/nonexistent/ferrows.node'), e.cause.code) }`;
  expect(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8', env })).toBe(
    'true MODULE_NOT_FOUND\n'
  );
});
