// What keeps a checkout from being published.
//
// A release has a binary for every target, each of this version, from these
// sources and small, one version number everywhere, an entry in the changelog, and
// third-party notices of these dependencies. Called by pack.js.
// Tests: __test__/package/release.test.js.

'use strict';

const { existsSync, readFileSync, readdirSync } = require('fs');
const { spawnSync } = require('child_process');
const { gzipSync } = require('zlib');
const path = require('path');

const { TARGETS, fileName } = require('../../lib/loading/targets');
const { digestOfSources } = require('./sources');
const { faultsOf } = require('./binary');

// Bytes that a binary may take compressed: what an installation downloads.
const LARGEST = 3e6;
const ADDRESSES = ['repository', 'bugs', 'homepage'];

function binaryFaults(root, version) {
  const folder = path.join(root, 'lib', 'native');
  const present = existsSync(folder) ? readdirSync(folder) : [];
  const sources = digestOfSources(root);
  const faults = [];
  for (const target of TARGETS) {
    const file = fileName(target.name);
    if (!present.includes(file)) {
      faults.push(`lib/native/${file} is missing`);
      continue;
    }
    const bytes = readFileSync(path.join(folder, file));
    const compressed = gzipSync(bytes).length;
    if (compressed > LARGEST)
      faults.push(`lib/native/${file} takes ${compressed} bytes, compressed`);
    for (const fault of faultsOf(bytes, target, version, sources)) {
      faults.push(`lib/native/${file} ${fault}`);
    }
  }
  const known = TARGETS.map(({ name }) => fileName(name));
  for (const file of present.filter((name) => !known.includes(name))) {
    faults.push(`lib/native/${file} belongs to no target`);
  }
  return faults;
}

function versionFaults(root, { version }) {
  const read = (file) => readFileSync(path.join(root, file), 'utf8');
  const faults = [];
  const inCargo = /\[workspace\.package\][^[]*?\nversion = "([^"]+)"/.exec(read('Cargo.toml'));
  if (inCargo === null || inCargo[1] !== version) {
    faults.push(`Cargo.toml and package.json (${version}) have different versions`);
  }
  const { packages } = JSON.parse(read('package-lock.json'));
  if (packages[''].version !== version) faults.push('package-lock.json has another version');
  const headings = read('CHANGELOG.md').match(/^## .*$/gm) || [];
  if (!headings.some((heading) => heading.split(/\s/)[1] === version)) {
    faults.push(`CHANGELOG.md has no entry for ${version}`);
  }
  return faults;
}

function noticeFaults() {
  const notices = path.join(__dirname, 'notices.js');
  const { status, stderr } = spawnSync(process.execPath, [notices, '--check'], {
    encoding: 'utf8'
  });
  return status === 0 ? [] : [stderr.trim()];
}

/**
 * @param {String} root The checkout
 * @return {String[]} A sentence each
 */
function faultsOfRelease(root) {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  // Provenance names the repository, and npm compares the two.
  const missing = ADDRESSES.filter((field) => !manifest[field]);
  return [
    ...missing.map((field) => `package.json has no ${field}`),
    ...versionFaults(root, manifest),
    ...binaryFaults(root, manifest.version)
  ];
}

module.exports = { faultsOfRelease, noticeFaults };
