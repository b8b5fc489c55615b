'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const { ROOT } = require('./staged');
const { engines } = require('../../package.json');
const { VERSIONS } = require('../../scripts/runtime-cache');

const CACHE = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-runtimes-'));
// Nobody listens there.
const UNREACHABLE = { RUNTIMES_CACHE: CACHE, npm_config_registry: 'http://127.0.0.1:1/' };

afterAll(() => fs.rmSync(CACHE, { recursive: true, force: true }));

function runtimes(args, variables = {}) {
  const program = path.join(ROOT, 'scripts', 'runtimes.js');
  const options = { encoding: 'utf8', env: { ...process.env, ...variables }, timeout: 50000 };
  return spawnSync(process.execPath, [program, ...args], options);
}

test('the oldest version that is tested is the oldest that is supported', () => {
  expect(engines.node).toBe(`>=${parseInt(VERSIONS.node[0])}`);
});

test('a runtime that cannot be had is named with the reason, and leaves nothing behind', () => {
  // No release: npm's own cache has none either.
  const { status, stdout } = runtimes(['--node', '18.0.999', '--tests', 'unit'], UNREACHABLE);
  expect(status).toBe(1);
  expect(stdout).toMatch(/FAILED {2}18\.0\.999: npm could not install node-[\w-]+@18\.0\.999: .+/);
  expect(fs.readdirSync(CACHE)).toEqual([]);
});

test.each([
  [['--help'], 0, /^Usage: npm run runtimes/],
  [['--nodes', '18'], 1, /^Unknown option --nodes/],
  [['--node'], 1, /^--node needs a list/],
  [['--node', '18;ls'], 1, /^18;ls is no version of Node/],
  [['--tests', '../src'], 1, /^There is no folder/]
])('the command line %j', (args, status, says) => {
  const ended = runtimes(args);
  expect(ended.stdout + ended.stderr).toMatch(says);
  expect(ended.status).toBe(status);
});
