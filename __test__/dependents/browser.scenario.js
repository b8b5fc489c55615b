'use strict';

// With a browser: over the protocol that drives it, and with what reloads a page.

const assert = require('assert');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const { once } = require('events');

const WebSocket = require('ws');

const { closing, listen, scenario, skipped, until } = require('./scenario');

const PROGRAMS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = process.env.CHROMIUM_PATH || PROGRAMS.find((file) => fs.existsSync(file));

function inBrowser(title, script) {
  if (executablePath) scenario(title, script);
  else skipped(title, 'no browser is installed');
}

/** A browser that is talked to through ws. */
async function launch(later) {
  const puppeteer = require('puppeteer-core');
  const args = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-quic'];
  args.push('--disable-background-networking', '--disable-component-update', '--disable-sync');
  const browser = await puppeteer.launch({ executablePath, args, pipe: false });
  later(() => browser.close());
  return browser;
}

inBrowser('puppeteer-core: calls, events and a megabyte over CDP', async (later) => {
  const browser = await launch(later);
  assert.match(browser.wsEndpoint(), /^ws:/);
  const page = await browser.newPage();
  assert.equal(await page.evaluate((a, b) => a + b, 2, 3), 5);
  const said = once(page, 'console');
  await page.evaluate(() => console.log('from the page'));
  assert.equal((await said)[0].text(), 'from the page');
  const large = 'ä'.repeat(1 << 20);
  assert.equal(await page.evaluate((text) => text.length, large), large.length);
  assert.equal(await page.evaluate((length) => 'ä'.repeat(length), large.length), large);
  await page.setContent('<title>titled</title>');
  assert.equal(await page.title(), 'titled');
  const shot = Buffer.from(await page.screenshot());
  assert.equal(shot.toString('latin1', 1, 4), 'PNG');

  const gone = once(browser, 'disconnected');
  browser.process().kill('SIGKILL');
  await gone;
  await assert.rejects(page.evaluate(() => 1));
});

inBrowser('a page in Chromium: text, binary, compression, close', async (later) => {
  const server = http.createServer((request, response) => response.end('<title>page</title>'));
  const perMessageDeflate = { threshold: 0 };
  const wss = new WebSocket.Server({ server, perMessageDeflate, handleProtocols: () => 'two' });
  later(closing(server));
  later(() => wss.clients.forEach((client) => client.terminate()));
  const extensions = [];
  wss.on('connection', (websocket) => {
    extensions.push(websocket.extensions);
    websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
  });
  const origin = `127.0.0.1:${await listen(server)}`;
  const page = await (await launch(later)).newPage();
  await page.goto(`http://${origin}/`);
  const seen = await page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const heard = [];
        const websocket = new globalThis.WebSocket(url, ['one', 'two']);
        websocket.binaryType = 'arraybuffer';
        websocket.onopen = () => {
          heard.push(websocket.protocol);
          websocket.send('x'.repeat(100000));
          websocket.send(new Uint8Array([1, 2, 255]));
        };
        websocket.onmessage = ({ data }) => {
          if (typeof data === 'string') heard.push(data.length);
          else heard.push([...new Uint8Array(data)]);
          if (heard.length === 3) websocket.close(4001, 'enough');
        };
        websocket.onclose = ({ code, reason, wasClean }) => {
          resolve([...heard, code, reason, wasClean]);
        };
      }),
    `ws://${origin}/`
  );
  assert.deepEqual(seen, ['two', 100000, [1, 2, 255], 4001, 'enough', true]);
  assert.match(extensions[0], /^permessage-deflate/);
});

inBrowser('webpack-dev-server: a module is replaced in Chromium', async (later) => {
  const webpack = require('webpack');
  const Server = require('webpack-dev-server');
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'hot-'));
  later(() => fs.rmSync(folder, { recursive: true }));
  const write = (name, text) => fs.writeFileSync(path.join(folder, name), text);
  write('value.js', "export const value = 'first';");
  write(
    'main.js',
    `import { value } from './value';
     window.loaded = Math.random();
     window.value = value;
     module.hot.accept('./value', () => (window.value = value));`
  );
  const compiler = webpack({
    mode: 'development',
    devtool: false,
    context: folder,
    entry: './main.js',
    // The browser's part lies with this scenario.
    resolve: { modules: [path.join(__dirname, 'node_modules'), 'node_modules'] },
    infrastructureLogging: { level: 'none' },
    stats: 'none'
  });
  const options = { host: '127.0.0.1', port: 0, hot: true, static: false };
  options.setupMiddlewares = (middlewares, { app }) => {
    const html = '<!doctype html><script src="/main.js"></script>';
    app.get('/', (request, response) => response.type('html').send(html));
    return middlewares;
  };
  const server = new Server(options, compiler);
  later(() => server.stop());
  await server.start();
  assert.ok(server.webSocketServer.implementation instanceof WebSocket.Server);

  const page = await (await launch(later)).newPage();
  await page.goto(`http://127.0.0.1:${server.server.address().port}/`);
  const valueOf = () => page.evaluate(() => [globalThis.value, globalThis.loaded]);
  const [value, loaded] = await valueOf();
  assert.equal(value, 'first');
  await until(() => server.webSocketServer.clients.length === 1);
  write('value.js', "export const value = 'second';");
  await until(async () => (await valueOf())[0] === 'second');
  assert.equal((await valueOf())[1], loaded, 'the page was loaded again');
});
