'use strict';

const path = require('path');

const { createApp, removeAll } = require('./harness');

afterAll(removeAll);

const TEST = `
  import { createRequire } from 'node:module';
  import { expect, test, vi } from 'vitest';
  import WebSocket, { WebSocketServer } from 'ferrows';

  const exchange = (WebSocket, WebSocketServer) => new Promise((resolve, reject) => {
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    wss.on('listening', () => {
      const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      client.on('error', reject);
      client.on('open', () => client.send('x'.repeat(100000)));
      client.on('message', (data) => client.close(1000, String(data.length)));
      client.on('close', (code, reason) => wss.close(() => resolve(String(reason))));
    });
  });

  test('imported, required, and imported again', async () => {
    expect(await exchange(WebSocket, WebSocketServer)).toBe('100000');
    const required = createRequire(import.meta.url)('ferrows');
    expect(await exchange(required, required.Server)).toBe('100000');
    vi.resetModules();
    const again = await import('ferrows');
    expect(await exchange(again.default, again.WebSocketServer)).toBe('100000');
  });`;

const tooOld = parseInt(process.versions.node) < 20;

// What runs inside the bundler of the tests is another instance of the JavaScript.
describe(`vitest${tooOld ? ' (skipped: vitest needs Node 20)' : ''}`, () => {
  const rows = ['forks', 'threads', 'vmForks', 'vmThreads'].flatMap((pool) => [
    [pool, 'of Node'],
    [pool, 'of vitest']
  ]);
  let app;

  beforeAll(() => {
    if (tooOld) return;
    app = createApp({ tools: ['vitest'], manifest: { type: 'module' } });
    for (const name of ['one', 'two', 'three']) app.write(`${name}.test.js`, TEST);
  });

  (tooOld ? test.skip : test).each(rows)('pool %s, modules %s', (pool, loader) => {
    const inline = loader === 'of Node' ? [] : ['ferrows'];
    app.write(
      'vitest.config.js',
      `export default { test: { pool: '${pool}', maxWorkers: 2, testTimeout: 60000,
         server: { deps: { inline: ${JSON.stringify(inline)} } } } };`
    );
    const program = path.join('node_modules', 'vitest', 'vitest.mjs');
    const output = app.node(program, ['run', '--reporter=default'], { CI: '1', NO_COLOR: '1' });
    expect(output).toMatch(/Test Files +3 passed \(3\)/);
    expect(output).not.toMatch(/Unhandled|close timed out|hanging/i);
  });
});
