'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn } = require('child_process');
const { once } = require('events');

// Two comparisons are run, and others may use the machine.
jest.setTimeout(120000);

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
  const faults = [];

  beforeAll(async () => {
    const { chromium } = require('playwright-core');
    demo = spawn(process.execPath, [server, '--port', '0', '--host', '127.0.0.1'], {
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

  /** A page; what goes wrong in it fails the test. */
  async function open(options) {
    const page = await browser.newPage(options);
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      // While the server is away, the attempts to connect fail.
      if (message.type() === 'error' && !message.text().includes('ERR_CONNECTION_REFUSED')) {
        faults.push(message.text());
      }
    });
    await page.goto(address);
    await page.getByText('connected', { exact: true }).waitFor();
    return page;
  }

  /** Texts of the table's cells for one load, once the comparison of it is over. */
  async function results(page, id) {
    await page.waitForFunction((rows) => {
      const cells = [...document.querySelectorAll(`#rows-${rows} td`)];
      return cells.length > 0 && cells.every((cell) => cell.textContent !== '–');
    }, id);
    return page.locator(`#rows-${id} td`).allTextContents();
  }

  test.each([
    ['desktop, light', { width: 1200, height: 900 }, 'light'],
    ['phone, dark', { width: 390, height: 844 }, 'dark']
  ])('the button shows both libraries: %s', async (name, viewport, colorScheme) => {
    const page = await open({ viewport, colorScheme });
    // By keyboard alone.
    await page.locator('#run:enabled').focus();
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement.textContent)).toBe('Everyday load');
    await page.keyboard.press('Enter');
    const cells = await results(page, 'everyday');
    expect(cells).toHaveLength(10);
    for (const cell of cells) expect(cell).toMatch(/^\d/);
    await page
      .getByRole('status')
      .getByText(/Everyday load: .*ws .*ferrows/)
      .waitFor();
    const verdict = await page.locator('#verdict').textContent();
    expect(verdict).toMatch(/^Everyday load, ferrows: \d.* the CPU a message, \d.* the messages/);
    const charts = page.getByRole('img');
    expect(await charts.count()).toBe(3);
    for (const chart of await charts.all()) {
      expect(await chart.getAttribute('aria-label')).toMatch(/: ws \d.*, ferrows \d/);
      expect(await chart.locator('polyline.ws').getAttribute('points')).not.toBe('');
      expect(await chart.locator('polyline.ferrows').getAttribute('points')).not.toBe('');
    }
    expect(await page.locator('#driver').textContent()).toMatch(/JavaScript thread|worker|both/);
    const width = await page.evaluate(() => document.documentElement.scrollWidth);
    expect(width).toBeLessThanOrEqual(viewport.width);
    await page.screenshot({
      fullPage: true,
      path: path.join(os.tmpdir(), `ferrows-demo-${viewport.width}.png`)
    });
    await page.close();
  });

  test('two pages chat, and see the server go', async () => {
    const [ann, bob] = [await open(), await open()];
    for (const [page, name] of [
      [ann, 'Ann'],
      [bob, 'Bob']
    ]) {
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
    // A room of one's own.
    const eve = await open();
    await eve.fill('#name', 'Eve');
    await eve.fill('#room', 'attic');
    await eve.click('#join button');
    await eve.getByText('Eve joined').waitFor();
    await eve.getByText('1 in attic').waitFor();
    await eve.fill('#text', 'anybody here?');
    await eve.click('#say button');
    await eve.getByText('anybody here?').waitFor();
    await eve.close();
    await bob.close();
    await ann.getByText('Bob left').waitFor();
    expect(await ann.getByText('anybody here?').count()).toBe(0);

    demo.kill('SIGTERM');
    const [code] = await once(demo, 'exit');
    expect(code).toBe(0);
    await ann.getByText('the server is away').waitFor();
    expect(await ann.locator('#run').isDisabled()).toBe(true);
    expect(faults).toEqual([]);
  });
});
