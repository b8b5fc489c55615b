// npm test: sets up, builds and runs everything that a change must pass.
// --only a,b and --skip a,b choose stages by name.

'use strict';

const path = require('path');

const { installPackages, requireTools, run } = require('./run');

const bin = (...parts) => [path.join('node_modules', ...parts)];

const ON_BOTH_TRANSPORTS = ['api', 'differential', 'interop', 'robustness', 'stream'].map(
  (folder) => `__test__/${folder}/`
);

// Not part of the workspace.
const FUZZ_CRATE = ['--manifest-path', path.join('fuzz', 'Cargo.toml')];

const STAGES = {
  fmt: () =>
    run('cargo', ['fmt', '--all', '--check']) && run('cargo', ['fmt', ...FUZZ_CRATE, '--check']),
  clippy: () => run('cargo', ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings']),
  // The protocol and the bridge must build without a runtime.
  layers: () => run('cargo', ['check', '-p', 'ferrows-core', '--no-default-features']),
  cargo: () => run('cargo', ['test', '--workspace']),
  // A short run of the fuzz targets; the long ones are for `cargo fuzz` (CONTRIBUTING.md).
  fuzz: () => run('cargo', ['test', ...FUZZ_CRATE]),
  build: () => run(process.execPath, [path.join('scripts', 'build.js')]),
  eslint: () => run(process.execPath, [...bin('eslint', 'bin', 'eslint.js'), '.']),
  prettier: () =>
    run(process.execPath, [...bin('prettier', 'bin', 'prettier.cjs'), '--check', '.']),
  counterparts: () => run(process.execPath, [path.join('scripts', 'setup-counterparts.js')]),
  jest: () => run(process.execPath, bin('jest', 'bin', 'jest.js')),
  // The same expectations hold where sockets stay with Node.
  'jest-stream': () =>
    run(process.execPath, [...bin('jest', 'bin', 'jest.js'), ...ON_BOTH_TRANSPORTS], {
      FERROWS_TRANSPORT: 'stream'
    }),
  // Groups 1-7 and 10; `npm run autobahn` runs all.
  autobahn: () => run(process.execPath, [path.join('autobahn', 'run.js'), '--quick'])
};

function option(name) {
  const at = process.argv.indexOf(name);
  return at === -1 ? null : String(process.argv[at + 1]).split(',');
}

function chosen() {
  const only = option('--only');
  const skip = option('--skip') || [];
  return Object.keys(STAGES).filter(
    (name) => (only === null || only.includes(name)) && !skip.includes(name)
  );
}

requireTools();
installPackages();

const results = chosen().map((name) => {
  console.log(`\n=== ${name} ===`);
  const began = Date.now();
  const passed = STAGES[name]();
  return { name, passed, seconds: Math.round((Date.now() - began) / 1000) };
});

console.log('\n=== summary ===');
for (const { name, passed, seconds } of results) {
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name} (${seconds} s)`);
}
const failed = results.filter((result) => !result.passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
