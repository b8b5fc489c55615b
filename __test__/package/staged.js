// The package in a folder of its own, as an installation would lay it.
//
// Called by the tests of this folder. Everything lies in one temporary folder
// per call, which the caller removes.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const ROOT = path.join(__dirname, '..', '..');

const { currentTarget } = require('../../lib/loading/load');
const { fileName, packageName } = require('../../lib/loading/targets');

const FILE = fileName(currentTarget());
const PLATFORM = packageName(currentTarget());
const ADDON = path.join(ROOT, 'lib', 'native', FILE);

/**
 * Lays the package into node_modules of a new folder.
 *
 * @param {Object} [options]
 * @param {Boolean} [options.withAddon] Whether this platform's binary is in it
 * @param {Object} [options.manifest] What differs in package.json
 * @return {{app: String, root: String, addon: String, remove: Function}} `root` is the package
 */
function stage({ withAddon = true, manifest = {} } = {}) {
  const app = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-staged-')));
  const root = path.join(app, 'node_modules', 'ferrows');
  const native = path.join(root, 'lib', 'native');
  fs.cpSync(path.join(ROOT, 'lib'), path.join(root, 'lib'), {
    recursive: true,
    filter: (file) => path.basename(file) !== 'native'
  });
  fs.mkdirSync(native);
  fs.copyFileSync(path.join(ROOT, 'index.js'), path.join(root, 'index.js'));
  const text = JSON.stringify({ ...require('../../package.json'), ...manifest });
  fs.writeFileSync(path.join(root, 'package.json'), text);
  const addon = path.join(native, FILE);
  if (withAddon) fs.copyFileSync(ADDON, addon);
  const remove = () => fs.rmSync(app, { recursive: true, force: true });
  return { app, root, addon, remove };
}

/** The environment of this process without what would change the outcome. */
function cleanEnvironment(more = {}) {
  const env = Object.entries(process.env).filter(([name]) => !/^FERROWS_/.test(name));
  return { ...Object.fromEntries(env), ...more };
}

/**
 * Requires a package in a fresh process.
 *
 * @param {String} cwd
 * @param {Object} [options]
 * @param {Object} [options.env] Added to the environment
 * @param {String[]} [options.flags] Of Node
 * @param {String} [options.what] What is required
 * @param {String} [options.before] A script to run first
 * @return {{loaded: Boolean, message: String, code: String, cause: Object, warnings: String}}
 */
function requireIn(cwd, { env = {}, flags = [], what = 'ferrows', before = '' } = {}) {
  const script = `${before}
    const tell = (result) => require('fs').writeSync(1, JSON.stringify(result));
    try {
      tell({ loaded: typeof require(${JSON.stringify(what)}) === 'function' });
    } catch (error) {
      const { code, message } = error.cause || {};
      tell({ loaded: false, message: error.message, code: error.code, cause: { code, message } });
    }`;
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', script], {
    cwd,
    env: cleanEnvironment(env),
    encoding: 'utf8'
  });
  if (stdout === '') throw new Error(`The process said nothing: ${stderr}`);
  return { ...JSON.parse(stdout), warnings: stderr };
}

module.exports = { ADDON, FILE, PLATFORM, ROOT, cleanEnvironment, requireIn, stage };
