// Type-checks the addon for every target: code for systems that this machine is
// not is compiled nowhere else before a release. `npm test -- --only targets`.
//
// A target is checked if the toolchain has its standard library, or the sources to
// check it from (rustup's component rust-src); those that are left out are named.

'use strict';

const { execFileSync } = require('child_process');
const { existsSync } = require('fs');
const path = require('path');

const { run } = require('../run');
const { TARGETS } = require('../../lib/loading/targets');

const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
const libraries = path.join(sysroot, 'lib', 'rustlib');
const hasSources = existsSync(path.join(libraries, 'src', 'rust', 'library', 'std'));

/** True, false, or null where it cannot be told. */
function check({ triple }) {
  const args = ['check', '--package', 'ferrows-napi', '--target', triple];
  if (existsSync(path.join(libraries, triple, 'lib'))) return run('cargo', args);
  if (!hasSources) return null;
  return run('cargo', [...args, '-Zbuild-std=std,panic_unwind'], {
    RUSTC_BOOTSTRAP: '1',
    // What C there is in crates is compiled for nothing here, and by no compiler that there may not be.
    TARGET_CC: 'true',
    TARGET_AR: 'true'
  });
}

const results = TARGETS.map((target) => ({ name: target.name, passed: check(target) }));
for (const { name, passed } of results) {
  if (passed === null) console.log(`${name}: not checked, its standard library is not installed`);
  else console.log(`${name}: ${passed ? 'passed' : 'FAILED'}`);
}
process.exitCode = results.some(({ passed }) => passed === false) ? 1 : 0;
