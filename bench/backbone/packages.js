// What the backbone is measured beside: socket.io with its Redis adapter. No dependency of
// anything else, so it is installed when it is first wanted, from the npm registry, without install
// scripts, into ~/.cache/ferrows/socket.io (BENCH_CACHE names another folder).

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const FOLDER = process.env.BENCH_CACHE || path.join(os.homedir(), '.cache', 'ferrows', 'socket.io');
/** Exact versions. bufferutil comes with what it needs already built. */
const VERSIONS = {
  'socket.io': '4.8.4',
  '@socket.io/redis-adapter': '8.3.0',
  redis: '6.3.1',
  bufferutil: '4.1.0'
};
const LIMIT = 240000;

/**
 * @return {?String} The folder that has them; `null` if they cannot be had
 */
function obtain() {
  const manifest = JSON.stringify({ private: true, dependencies: VERSIONS });
  const mark = path.join(FOLDER, '.installed.json');
  if (fs.existsSync(mark) && fs.readFileSync(mark, 'utf8') === manifest) return FOLDER;
  fs.mkdirSync(FOLDER, { recursive: true });
  fs.writeFileSync(path.join(FOLDER, 'package.json'), manifest);
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status } = spawnSync('npm', args, { cwd: FOLDER, stdio: 'ignore', timeout: LIMIT });
  if (status !== 0) return null;
  fs.writeFileSync(mark, manifest);
  return FOLDER;
}

module.exports = { VERSIONS, obtain };
