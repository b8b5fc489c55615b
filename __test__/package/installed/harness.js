// Applications in temporary folders that install the packed package as users do.
//
// Called by the tests of this folder. They need the network, or npm's cache: what
// is installed beside ferrows has its version in TOOLS. Install scripts are off,
// and neither cargo nor a compiler is on the PATH.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync, spawnSync } = require('child_process');

const ROOT = path.join(__dirname, '..', '..', '..');

/** The versions that these tests were written for. */
const TOOLS = {
  '@arethetypeswrong/cli': '0.18.5',
  '@types/node': '26.6.6',
  '@yarnpkg/cli-dist': '4.18.1',
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
 * The tarball. Its checks before publishing (prepack) are not made: it has the binaries that are
 * there.
 *
 * @return {String} Its path
 */
function tarball() {
  if (packed === null) {
    const folder = temporary('tarball');
    const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
    packed = path.join(folder, npm(args, ROOT).trim().split('\n').pop());
  }
  return packed;
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
  const dependencies = { ...(as === null ? {} : { [as]: `file:${tarball()}` }) };
  for (const tool of tools) dependencies[tool] = TOOLS[tool];
  const text = JSON.stringify({ name: 'app', version: '1.0.0', ...manifest, dependencies });
  fs.writeFileSync(path.join(folder, 'package.json'), text);
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

module.exports = { ECHO, ECHOED, TOOLS, contents, createApp, env, npm, removeAll, tarball };
