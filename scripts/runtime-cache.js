// The runtimes that the package is tested on: which versions, and where they are.
//
// Called by scripts/runtimes.js and the package stage. They come as packages from
// the npm registry, once, into ~/.cache/ferrows/runtimes (RUNTIMES_CACHE names
// another folder), without install scripts. What cannot be had is said, not thrown.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const isWindows = process.platform === 'win32';

const FOLDER =
  process.env.RUNTIMES_CACHE || path.join(os.homedir(), '.cache', 'ferrows', 'runtimes');

/** The exact versions. Of Node: what package.json supports, up to the newest. */
const VERSIONS = {
  node: ['18.20.8', '20.20.2', '22.23.3', '24.21.0', '26.10.0'],
  bun: ['1.4.5'],
  deno: ['2.9.6']
};

// A download that hangs is given up, and what holds on to it is ended.
const NPM_FLAGS = [
  ...['--fetch-timeout=60000', '--fetch-retries=1', '--fetch-retry-mintimeout=1000'],
  '--prefer-offline'
];
const DOWNLOAD_LIMIT = 240000;
const VERSION_LIMIT = 30000;

/** What the package "node" would install by a script: the executable for this platform. */
function nodePackage() {
  const { arch, platform } = process;
  const prefix = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  return `${prefix}-${isWindows ? 'win' : platform}-${arch}`;
}

const PACKAGES = { node: nodePackage(), bun: 'bun', deno: 'deno' };

const EXECUTABLES = {
  node: path.join(PACKAGES.node, 'bin', isWindows ? 'node.exe' : 'node'),
  bun: path.join('bun', 'bin', 'bun.exe'),
  deno: path.join('deno', isWindows ? 'deno.exe' : 'deno')
};

// These two choose among packages for several processors when they are installed.
const INSTALLERS = { bun: path.join('bun', 'install.js'), deno: path.join('deno', 'install.cjs') };

function spawn(program, args, cwd, timeout) {
  const options = { cwd, encoding: 'utf8', timeout, killSignal: 'SIGKILL' };
  const shell = isWindows && program === 'npm';
  const { error, status, stdout, stderr } = spawnSync(program, args, { ...options, shell });
  if (error) return { reason: error.code === 'ETIMEDOUT' ? 'it took too long' : error.message };
  return status === 0 ? { stdout } : { reason: stderr.trim().split('\n')[0] || `exit ${status}` };
}

function versionOf(executable) {
  const { stdout = '' } = spawn(executable, ['--version'], FOLDER, VERSION_LIMIT);
  const found = stdout.match(/\d+\.\d+\.\d+/);
  return found ? found[0] : null;
}

function install(name, version, folder) {
  const partial = `${folder}.${process.pid}`;
  fs.mkdirSync(partial, { recursive: true });
  try {
    fs.writeFileSync(path.join(partial, 'package.json'), '{ "private": true }');
    const asked = `${PACKAGES[name]}@${version}`;
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
    const args = ['install', ...flags, ...NPM_FLAGS, asked];
    const { reason } = spawn('npm', args, partial, DOWNLOAD_LIMIT);
    if (reason) return `npm could not install ${asked}: ${reason}`;
    if (name in INSTALLERS) {
      const installer = path.join(partial, 'node_modules', INSTALLERS[name]);
      const { reason } = spawn(process.execPath, [installer], path.dirname(installer), 60000);
      if (reason) return `${asked} could not be set up: ${reason}`;
    }
    // Several processes may do this at once; the first one that is done has done it.
    if (!fs.existsSync(folder)) fs.renameSync(partial, folder);
    return null;
  } catch (error) {
    if (fs.existsSync(folder)) return null;
    return error.message;
  } finally {
    fs.rmSync(partial, { recursive: true, force: true });
  }
}

/**
 * A runtime, which is installed if it is not there.
 *
 * @param {String} name node, bun or deno
 * @param {String} version Exact
 * @return {{executable: String, version: String, reason: ?String}} `reason`: why it cannot be had
 */
function obtain(name, version) {
  const folder = path.join(FOLDER, `${name}-${version}`);
  const executable = path.join(folder, 'node_modules', EXECUTABLES[name]);
  let reason = fs.existsSync(executable) ? null : install(name, version, folder);
  if (reason === null && versionOf(executable) !== version) reason = 'it does not run here';
  return { executable, version, reason };
}

/**
 * The exact version that is meant.
 *
 * @param {String} asked A major version of VERSIONS, or what the registry knows, such as "latest"
 * @return {{version: ?String, reason: ?String}}
 */
function resolveNode(asked) {
  const known = VERSIONS.node.find((version) => version.startsWith(`${asked}.`));
  if (known) return { version: known, reason: null };
  if (/^\d+\.\d+\.\d+$/.test(asked)) return { version: asked, reason: null };
  const args = ['view', ...NPM_FLAGS, `node@${asked}`, 'version', '--json'];
  const { stdout, reason } = spawn('npm', args, os.tmpdir(), VERSION_LIMIT);
  if (reason) return { version: null, reason };
  const found = [].concat(stdout.trim() === '' ? [] : JSON.parse(stdout)).map(String);
  const byNumber = (a, b) => a.localeCompare(b, 'en', { numeric: true });
  const version = found.sort(byNumber).pop() || null;
  return { version, reason: version === null ? 'the registry has none' : null };
}

module.exports = { FOLDER, VERSIONS, obtain, resolveNode };
