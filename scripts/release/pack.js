// Packs a release: `node scripts/release/pack.js FOLDER`, with the binaries of all
// targets in lib/native. FOLDER gets the tarball of ferrows, FOLDER/platforms those
// of the packages with binaries. Refuses what must not be published (checks.js).
// Tests: __test__/package/release.test.js.

'use strict';

const { mkdtempSync, rmSync, statSync } = require('fs');
const os = require('os');
const path = require('path');

const { ROOT, stop } = require('../run');
const { TARGETS, fileName } = require('../../lib/loading/targets');
const { faultsOfRelease, noticeFaults } = require('./checks');
const { layOutMain, layOutTarget, pack } = require('./packages');

function main() {
  if (process.argv.length !== 3) stop('Usage: node scripts/release/pack.js FOLDER');
  const output = path.resolve(process.argv[2]);
  const faults = [...faultsOfRelease(ROOT), ...noticeFaults()];
  for (const fault of faults) console.error(`Not to be published: ${fault}`);
  if (faults.length > 0) stop('Nothing was packed.');

  const work = mkdtempSync(path.join(os.tmpdir(), 'ferrows-pack-'));
  try {
    const tarballs = [];
    for (const target of TARGETS) {
      const folder = path.join(work, target.name);
      const binary = path.join(ROOT, 'lib', 'native', fileName(target.name));
      layOutTarget(ROOT, folder, target, binary);
      tarballs.push(pack(folder, path.join(output, 'platforms')));
    }
    layOutMain(ROOT, path.join(work, 'ferrows'));
    tarballs.push(pack(path.join(work, 'ferrows'), output));
    for (const file of tarballs) console.log(`${file}: ${statSync(file).size} bytes`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

main();
