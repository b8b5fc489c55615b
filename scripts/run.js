// Running commands for the project's scripts. Node built-ins only: nothing is
// installed yet when these scripts start.

'use strict';

const { existsSync } = require('fs');
const { spawnSync } = require('child_process');
const path = require('path');

const ROOT = path.join(__dirname, '..');
const OLDEST_NODE = 18;

/**
 * Runs a command with its output visible.
 *
 * @param {String} command
 * @param {String[]} args
 * @param {Object} [variables] Added to the environment
 * @return {Boolean} Whether it succeeded
 */
function run(command, args, variables = {}) {
  const { error, status } = spawnSync(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...variables },
    stdio: 'inherit',
    shell: process.platform === 'win32'
  });
  if (error) console.error(`${command}: ${error.message}`);
  return status === 0;
}

/**
 * Whether a command exists and answers.
 *
 * @param {String} command
 * @return {Boolean}
 */
function answers(command) {
  return spawnSync(command, ['--version'], { shell: process.platform === 'win32' }).status === 0;
}

/**
 * What Cargo calls the addon.
 *
 * @param {String} platform As process.platform
 * @return {String}
 */
function libraryName(platform) {
  if (platform === 'win32') return 'ferrows.dll';
  return platform === 'darwin' ? 'libferrows.dylib' : 'libferrows.so';
}

/** Ends the process with one line if a tool is missing. */
function requireTools() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) stop(`Node.js ${OLDEST_NODE} or newer is needed, this is ${major}.`);
  if (!answers('cargo')) stop('Rust is needed (cargo was not found): see https://rustup.rs');
}

/** Installs the npm packages unless they are there. */
function installPackages() {
  if (existsSync(path.join(ROOT, 'node_modules', '.package-lock.json'))) return;
  console.log('Installing npm packages …');
  // Not "npm ci": it refuses a lock file that lacks optional packages of other platforms, which
  // npm itself leaves out (npm/cli#4828).
  if (!run('npm', ['install', '--no-save', '--no-audit', '--no-fund'])) stop('npm install failed.');
}

/**
 * Prints how a command is used and ends the process, if the command line asks for it.
 *
 * @param {String} help
 * @param {String[]} [args]
 */
function helpIfAsked(help, args = process.argv.slice(2)) {
  if (!args.includes('--help') && !args.includes('-h')) return;
  console.log(help);
  process.exit(0);
}

/**
 * Prints a line and ends the process with an error.
 *
 * @param {String} message
 */
function stop(message) {
  console.error(message);
  process.exit(1);
}

module.exports = { ROOT, helpIfAsked, installPackages, libraryName, requireTools, run, stop };
