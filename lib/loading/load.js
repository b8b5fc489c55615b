// Finds and loads the native addon.
//
// Called by binding.js. FERROWS_NATIVE_PATH, if set, names the only file tried.
// Else these are: one in the package itself (a clone's, or of a tarball that was
// packed in one), that of the platform's package, one beside a bundle, those of
// packages that a bundle left in node_modules. Runs on: js, once per module registry.
// Must not leave loading to the bundler's require(), which knows no such files.
// Tests: __test__/package/loading.test.js.

'use strict';

const path = require('path');
const { existsSync, readFileSync } = require('fs');
const { createRequire } = require('module');

const { isCutOff } = require('./elf');
const { detectLibc } = require('./libc');
const { explain } = require('./explain');
const { fileName, packageName } = require('./targets');

// Under which names a package manager may have put the package.
const INSTALLED_AS = ['ferrows', 'ws'];

/**
 * The target that the running process needs a binary of.
 *
 * @param {Object} [process] Node's by default
 * @return {String}
 */
function currentTarget(process = global.process) {
  const { arch, platform } = process;
  return platform === 'linux' ? `linux-${arch}-${detectLibc(process)}` : `${platform}-${arch}`;
}

function readManifest(folder) {
  try {
    return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  } catch {
    return {};
  }
}

/** Where the code that runs lies: in a clone, in an installed package, in a bundle. */
function placeOf(folder) {
  const parent = path.join(folder, '..');
  if (readManifest(parent).name !== 'ferrows') return 'bundle';
  return existsSync(path.join(parent, 'Cargo.toml')) ? 'clone' : 'package';
}

/** The library folders of packages of this version that can be required from a folder. */
function installedFolders(folder, version) {
  const resolver = createRequire(path.join(folder, 'bundle.js'));
  return INSTALLED_AS.flatMap((name) => {
    try {
      const root = path.dirname(resolver.resolve(`${name}/package.json`));
      const manifest = readManifest(root);
      const isSame = manifest.name === 'ferrows' && manifest.version === version;
      return isSame ? [path.join(root, 'lib')] : [];
    } catch {
      return [];
    }
  });
}

/** Where a binary may be: `name` says it in an error, `find` gives its path or throws. */
const atPath = (file) => ({ name: file, find: () => file });

/** What the platform's package has, as seen from a folder. */
function ofPackage(folder, target) {
  const name = packageName(target);
  const resolver = createRequire(path.join(folder, 'any.js'));
  return { name, find: () => resolver.resolve(`${name}/${fileName(target)}`) };
}

function candidates(place, folder, version, target) {
  const explicit = process.env.FERROWS_NATIVE_PATH;
  if (explicit) return [atPath(path.resolve(explicit))];
  const file = fileName(target);
  const inFolder = (library) => atPath(path.join(library, 'native', file));
  if (place === 'clone') return [inFolder(folder)];
  const own = [inFolder(folder), ofPackage(folder, target)];
  if (place === 'package') return own;
  const others = installedFolders(folder, version).flatMap((library) => [
    inFolder(library),
    ofPackage(library, target)
  ]);
  return [atPath(path.join(folder, file)), ...own, ...others];
}

function loadFile(file, version) {
  if (!file.endsWith('.node')) throw new Error('its name does not end in ".node"');
  if (process.platform === 'linux' && existsSync(file) && isCutOff(file)) {
    throw new Error('its end is missing');
  }
  // Node's own require(), whatever a bundler has made of ours. It loads a file once per process
  // and thread, which jest's resets count on.
  const addon = createRequire(file)(file);
  const identity = typeof addon.identity === 'function' ? addon.identity() : '';
  const [name, found] = identity.split('/');
  if (name !== 'ferrows') throw new Error('it is not an addon of this version of ferrows');
  if (found !== version) throw new Error(`it belongs to ferrows ${found}, this is ${version}`);
  return addon;
}

/**
 * @param {String} folder Of binding.js, or of the bundle that it became part of
 * @param {String} version Of the package
 * @return {Object} The addon's exports
 */
function loadNative(folder, version) {
  const target = currentTarget();
  const place = placeOf(folder);
  const failures = [];
  for (const { name, find } of candidates(place, folder, version, target)) {
    let file = name;
    try {
      file = find();
      return loadFile(file, version);
    } catch (error) {
      failures.push({ file, error, exists: existsSync(file) });
    }
  }
  throw explain({ failures, place, target, version });
}

module.exports = { currentTarget, loadNative };
