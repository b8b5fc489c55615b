// Publishes what pack.js has packed: `node scripts/release/publish.js FOLDER [--dry-run]`.
//
// First the packages with binaries, then ferrows, so that nobody gets one whose
// binaries are not there yet. What the registry has already is left out: after an
// interruption the same command goes on. If it has the version with other contents,
// nothing is published. In GitHub Actions with provenance. Tests:
// __test__/package/installed/release.installed.js.

'use strict';

const { createHash } = require('crypto');
const { execFileSync, spawnSync } = require('child_process');
const { readFileSync, readdirSync } = require('fs');
const path = require('path');

const { run, stop } = require('../run');

function tarballsIn(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  return files.sort().map((name) => path.join(folder, name));
}

function readTarball(file) {
  const options = { cwd: path.dirname(file), encoding: 'utf8' };
  const text = execFileSync('tar', ['-xOzf', path.basename(file), 'package/package.json'], options);
  const { name, version } = JSON.parse(text);
  const digest = createHash('sha512').update(readFileSync(file)).digest('base64');
  return { file, name, version, integrity: `sha512-${digest}` };
}

/** The digest of a version that the registry has; null if it has none. */
function published({ name, version }) {
  const args = ['view', `${name}@${version}`, 'dist.integrity', '--json'];
  const { error, status, stdout } = spawnSync('npm', args, {
    encoding: 'utf8',
    shell: process.platform === 'win32'
  });
  if (error) stop(error.message);
  if (stdout.trim() === '') return null;
  const answer = JSON.parse(stdout);
  if (status === 0) return answer;
  if (answer.error.code !== 'E404') stop(`${name}: ${answer.error.summary}`);
  return null;
}

function main() {
  const [folder, ...options] = process.argv.slice(2);
  const isDryRun = options.length === 1 && options[0] === '--dry-run';
  if (folder === undefined || (options.length > 0 && !isDryRun)) {
    stop('Usage: node scripts/release/publish.js FOLDER [--dry-run]');
  }
  const files = [...tarballsIn(path.join(folder, 'platforms')), ...tarballsIn(folder)];
  const packages = files.map(readTarball);
  const versions = new Set(packages.map(({ version }) => version));
  if (versions.size !== 1) stop(`The packages have several versions: ${[...versions]}`);

  const missing = packages.filter((each) => {
    const integrity = published(each);
    if (integrity === null) return true;
    if (integrity !== each.integrity) {
      stop(`The registry has ${each.name}@${each.version} with other contents.`);
    }
    console.log(`${each.name}@${each.version} is published already`);
    return false;
  });
  const [version] = versions;
  const args = ['--access', 'public', '--ignore-scripts'];
  args.push('--tag', version.includes('-') ? 'next' : 'latest');
  if (isDryRun) args.push('--dry-run');
  else if (process.env.GITHUB_ACTIONS) args.push('--provenance');
  for (const { name, file } of missing) {
    if (!run('npm', ['publish', path.resolve(file), ...args])) stop(`${name} was not published.`);
  }
}

main();
