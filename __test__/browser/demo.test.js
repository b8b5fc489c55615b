'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn } = require('child_process');
const { once } = require('events');

const server = path.join(__dirname, '..', '..', 'examples', 'demo', 'server.js');
const browsers = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = process.env.CHROMIUM_PATH || browsers.find((file) => fs.existsSync(file));
const obstacle = !executablePath
  ? 'no browser is installed'
  : parseInt(process.versions.node) < 20
    ? 'playwright needs Node 20'
    : null;
const title = obstacle === null ? 'in Chromium' : `in Chromium (skipped: ${obstacle})`;

(obstacle === null ? describe : describe.skip)(title, () => {
  let browser;
  let demo;
  let address;

  beforeAll(async () => {
    const { chromium } = require('playwright-core');
    demo = spawn(process.execPath, [server, '--port', '0'], {
      stdio: ['ignore', 'pipe', 'inherit']
    });
    const [line] = await once(demo.stdout, 'data');
    address = /http:\S+/.exec(line)[0];
    browser = await chromium.launch({
      executablePath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync'
      ]
    });
  });

  afterAll(async () => {
    if (browser) await browser.close();
    if (demo.exitCode === null) demo.kill('SIGKILL');
  });

  test('two pages chat, the meters move, and the demo ends cleanly', async () => {
    const size = { viewport: { width: 1100, height: 760 } };
    const [ann, bob] = [await browser.newPage(size), await browser.newPage(size)];
    for (const [page, name] of [
      [ann, 'Ann'],
      [bob, 'Bob']
    ]) {
      await page.goto(address);
      await page.getByText(/\d here/).waitFor();
      await page.fill('#name', name);
      await page.click('#join button');
      await page.getByText(`${name} joined`).waitFor();
    }
    await ann.fill('#text', 'hello <b>Bob</b>');
    await ann.click('#say button');
    await bob.getByText('hello <b>Bob</b>').waitFor();
    await bob.fill('#text', 'hello Ann');
    await bob.click('#say button');
    await ann.getByText('hello Ann').waitFor();

    await ann.getByText(/^\d+\.\d\d ms$/).waitFor();
    await ann.waitForFunction(() => document.getElementById('connections').textContent === '6');
    await ann.click('#load');
    await ann.waitForFunction(() => {
      return Number(document.getElementById('received').textContent.replace(/\D/g, '')) > 100;
    });
    await ann.screenshot({ path: path.join(os.tmpdir(), 'ferrows-demo.png') });
    await bob.close();
    await ann.getByText('Bob left').waitFor();

    demo.kill('SIGTERM');
    const [code] = await once(demo, 'exit');
    expect(code).toBe(0);
    await ann.getByText('the server is away').waitFor();
  });
});
