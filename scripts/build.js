// Builds the native addon for this machine into lib/native, if its sources are
// newer than it. --force builds in any case. What is published is built by
// release/prebuild.js.

'use strict';

const { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } = require('fs');
const path = require('path');

const {
  ROOT,
  helpIfAsked,
  installPackages,
  libraryName,
  requireTools,
  run,
  stop
} = require('./run');
const { currentTarget } = require('../lib/loading/load');
const { fileName } = require('../lib/loading/targets');

const TARGET_FOLDER = path.resolve(ROOT, process.env.CARGO_TARGET_DIR || 'target');
const ADDON = path.join(ROOT, 'lib', 'native', fileName(currentTarget()));
const SOURCES = ['Cargo.toml', 'Cargo.lock', 'src', 'napi'];
const HELP = `Usage: npm run build -- [--force]

Builds the native addon for this machine into lib/native, if its sources are newer than it; with
--force in any case. Installs npm packages first, if there are none.`;

function newest(file) {
  const stats = statSync(file);
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(file).map((name) => newest(path.join(file, name))));
}

function isUpToDate() {
  if (!existsSync(ADDON)) return false;
  const built = newest(ADDON);
  return SOURCES.every((source) => newest(path.join(ROOT, source)) <= built);
}

function build(isForced) {
  requireTools();
  installPackages();
  if (!isForced && isUpToDate()) {
    console.log('The native addon is up to date.');
    return;
  }
  console.log('Building the native addon (a first build takes about a minute) …');
  const built = run('cargo', ['build', '--release', '--package', 'ferrows-napi']);
  if (!built) stop('The native addon could not be built.');
  mkdirSync(path.dirname(ADDON), { recursive: true });
  copyFileSync(path.join(TARGET_FOLDER, 'release', libraryName(process.platform)), `${ADDON}.new`);
  // A new file: processes that have the old one loaded keep it.
  renameSync(`${ADDON}.new`, ADDON);
}

helpIfAsked(HELP);
const args = process.argv.slice(2);
const unknown = args.find((argument) => argument !== '--force');
if (unknown !== undefined) stop(`Unknown option ${unknown}.\n\n${HELP}`);
build(args.length > 0);
