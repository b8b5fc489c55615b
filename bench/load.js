// The load generator: where it is, how it is built and run.

'use strict';

const path = require('path');
const { spawnSync } = require('child_process');

const ROOT = path.join(__dirname, '..');
const TARGET = process.env.CARGO_TARGET_DIR || path.join(ROOT, 'target');
const LOADGEN = path.join(TARGET, 'release', 'ferrows-loadgen');
const LIMIT = 180000;

function build() {
  const args = ['build', '--release', '--quiet', '-p', 'ferrows-loadgen'];
  const { status } = spawnSync('cargo', args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error('the load generator could not be built');
}

/** Runs a command that prints JSON, and returns that. */
function run(command, args, environment = {}) {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args.map(String), {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    timeout: LIMIT
  });
  if (error) throw error;
  if (status !== 0) throw new Error(stderr.trim() || `ended by ${signal}`);
  return JSON.parse(stdout);
}

module.exports = { LOADGEN, build, run };
