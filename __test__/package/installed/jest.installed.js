'use strict';

const path = require('path');

const { createApp, removeAll } = require('./harness');

afterAll(removeAll);

const TEST = `
  const exchange = () => new Promise((resolve, reject) => {
    const WebSocket = require('ferrows');
    const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    wss.on('listening', () => {
      const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      client.on('error', reject);
      client.on('open', () => client.send('x'));
      client.on('message', (data) => client.close(1000, data));
      client.on('close', () => wss.close(() => resolve(WebSocket)));
    });
  });

  test('instances before and after a reset work and are apart', async () => {
    const first = await exchange();
    jest.resetModules();
    const second = await exchange();
    expect(second).not.toBe(first);
    jest.isolateModules(() => expect(require('ferrows')).not.toBe(second));
    expect(await exchange()).toBe(second);
  });`;

test('jest with resetModules ends by itself and finds no open handle', () => {
  const app = createApp({ tools: ['jest'], manifest: { jest: { resetModules: true } } });
  app.write('one.test.js', TEST);
  app.write('two.test.js', TEST);
  const output = app.node(path.join('node_modules', 'jest', 'bin', 'jest.js'), [
    ...['--ci', '--runInBand', '--detectOpenHandles', '--testTimeout', '60000']
  ]);
  expect(output).toContain('Tests:       2 passed, 2 total');
  expect(output).not.toMatch(/open handle|did not exit/);
});
