// Builds the native addon into lib/native, if its sources are newer than it.
// --force builds in any case.

'use strict';

const { existsSync, readdirSync, statSync } = require('fs');
const path = require('path');

const { ROOT, installPackages, requireTools, run, stop } = require('./run');

const OUTPUT = path.join('lib', 'native');
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'src', 'napi'];

function newest(file) {
  const stats = statSync(file);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(file).map((name) => newest(path.join(file, name))));
}

function isUpToDate() {
  const directory = path.join(ROOT, OUTPUT);
  if (!existsSync(directory)) return false;
  const addons = readdirSync(directory).filter((name) => name.endsWith('.node'));
  if (addons.length === 0) return false;
  const built = Math.min(...addons.map((name) => newest(path.join(directory, name))));
  return SOURCES.every((source) => newest(path.join(ROOT, source)) <= built);
}

function build() {
  requireTools();
  installPackages();
  if (!process.argv.includes('--force') && isUpToDate()) {
    console.log('The native addon is up to date.');
    return;
  }
  console.log('Building the native addon (a first build takes about a minute) …');
  const napi = path.join(ROOT, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js');
  const built = run(process.execPath, [
    napi,
    'build',
    ...['--platform', '--release', '--no-js'],
    ...['--manifest-path', path.join('napi', 'Cargo.toml')],
    ...['--output-dir', OUTPUT]
  ]);
  if (!built) stop('The native addon could not be built.');
}

build();
