// npm test: sets up, builds and runs everything that a change must pass.
// --only a,b and --skip a,b choose stages by name, --help lists them.

'use strict';

const path = require('path');

const { installPackages, requireTools, run, stop } = require('./run');

const bin = (...parts) => [path.join('node_modules', ...parts)];

const ON_BOTH_TRANSPORTS = [
  'api',
  'differential',
  'interop',
  'operations',
  'robustness',
  'stream'
].map((folder) => `__test__/${folder}/`);

const WITH_EITHER_DRIVER = ['api', 'differential', 'operations', 'robustness', 'process'].map(
  (folder) => `__test__/${folder}/`
);

// Each takes about 15 seconds, with what comes before and after the traffic.
const SOAKS = [
  ...['auto', 'inline', 'worker'].map((driver) => ['--io', driver]),
  ['--transport', 'stream']
];

// Not part of the workspace.
const FUZZ_CRATE = ['--manifest-path', path.join('fuzz', 'Cargo.toml')];

const jest = (...args) => [...bin('jest', 'bin', 'jest.js'), ...args];

const BACKBONE = '__test__/backbone/';

// Installing takes as long as the registry and the disk do.
const INSTALLED = [
  ...['--testMatch', '**/__test__/package/installed/*.installed.js'],
  ...['--testTimeout', String(15 * 60 * 1000)]
];

// Name, what it is for, and how it is run. In this order.
const STAGES = [
  [
    'fmt',
    'the format of Rust sources',
    () =>
      run('cargo', ['fmt', '--all', '--check']) && run('cargo', ['fmt', ...FUZZ_CRATE, '--check'])
  ],
  [
    'clippy',
    'lints of Rust sources',
    () => run('cargo', ['clippy', '--workspace', '--all-targets', '--', '-D', 'warnings'])
  ],
  [
    'layers',
    'the protocol builds without sockets, the reactor without a runtime, drivers without engines',
    () => {
      const check = ['check', '-p', 'ferrows-core', '--no-default-features'];
      const features = ['reactor', 'driver'];
      return (
        run('cargo', check) &&
        features.every((feature) => run('cargo', [...check, '--features', feature]))
      );
    }
  ],
  [
    'targets',
    'types of the Rust sources on the targets whose library the toolchain has',
    () => run(process.execPath, [path.join('scripts', 'release', 'check-targets.js')])
  ],
  ['cargo', 'tests in Rust', () => run('cargo', ['test', '--workspace'])],
  [
    'models',
    'models of the synchronisation, in every order of threads with few preemptions',
    () => run(process.execPath, [path.join('scripts', 'models.js')])
  ],
  [
    'fuzz',
    'a short run of the fuzz targets (long ones: CONTRIBUTING.md)',
    () => run('cargo', ['test', ...FUZZ_CRATE])
  ],
  [
    'build',
    'the native addon, if its sources changed',
    () => run(process.execPath, [path.join('scripts', 'build.js')])
  ],
  [
    'eslint',
    'lints of JavaScript sources',
    () => run(process.execPath, [...bin('eslint', 'bin', 'eslint.js'), '.'])
  ],
  [
    'prettier',
    'the format of JavaScript sources and texts',
    () => run(process.execPath, [...bin('prettier', 'bin', 'prettier.cjs'), '--check', '.'])
  ],
  [
    'counterparts',
    'installs Chromium, nginx, Redis and NATS, which some tests talk to',
    () => run(process.execPath, [path.join('scripts', 'setup-counterparts.js')])
  ],
  [
    'jest',
    'tests in JavaScript',
    () => run(process.execPath, jest('--testPathIgnorePatterns', '/node_modules/', BACKBONE))
  ],
  [
    'backbone',
    'topics across processes, with the engines that are installed',
    () => run(process.execPath, jest(BACKBONE))
  ],
  [
    'jest-stream',
    'those of them that hold where sockets stay with Node, on such sockets',
    () => run(process.execPath, jest(...ON_BOTH_TRANSPORTS), { FERROWS_TRANSPORT: 'stream' })
  ],
  ...['inline', 'worker'].map((driver) => [
    `jest-${driver}`,
    `those of them that concern I/O, with FERROWS_IO=${driver}`,
    () => run(process.execPath, jest(...WITH_EITHER_DRIVER), { FERROWS_IO: driver })
  ]),
  [
    'soak',
    'a minute of peers of all kinds, everything accounted for (longer: npm run soak)',
    () =>
      SOAKS.every((setting) =>
        run(process.execPath, [path.join('soak', 'run.js'), '--minutes', '0.15', ...setting])
      )
  ],
  [
    'package',
    'the packed package, installed and used as users do (needs the npm registry)',
    () => run(process.execPath, jest(...INSTALLED))
  ],
  [
    'dependents',
    'packages that depend on ws, with ws and with this package (needs the npm registry)',
    () => run(process.execPath, [path.join('scripts', 'dependents.js')])
  ],
  [
    'autobahn',
    'groups 1-7 and 10 of the Autobahn Testsuite (all: npm run autobahn)',
    () => run(process.execPath, [path.join('autobahn', 'run.js'), '--quick'])
  ],
  [
    'autobahn-worker',
    'the same with FERROWS_IO=worker',
    () =>
      run(process.execPath, [path.join('autobahn', 'run.js'), '--quick'], { FERROWS_IO: 'worker' })
  ]
];

const NAMES = STAGES.map(([name]) => name);
const LISTED = STAGES.map(([name, purpose]) => `  ${name.padEnd(17)}${purpose}`).join('\n');

const HELP = `Usage: npm test -- [--only STAGE,...] [--skip STAGE,...]

Sets up, builds and runs everything that a change must pass. Stages:
${LISTED}`;

/** Two lists of names, from the command line. */
function options() {
  const chosen = { only: NAMES, skip: [] };
  const rest = process.argv.slice(2);
  while (rest.length > 0) {
    const [option, names] = rest.splice(0, 2);
    if (option === '--help' || option === '-h') {
      console.log(HELP);
      process.exit(0);
    }
    if (option !== '--only' && option !== '--skip') stop(`Unknown option ${option}.\n\n${HELP}`);
    const list = names === undefined ? [] : names.split(',').filter(Boolean);
    if (list.length === 0) stop(`${option} needs names of stages.\n\n${HELP}`);
    const unknown = list.filter((name) => !NAMES.includes(name));
    if (unknown.length > 0) stop(`Unknown stage ${unknown.join(', ')}.\n\n${HELP}`);
    chosen[option.slice(2)] = list;
  }
  return chosen;
}

const { only, skip } = options();
const chosen = STAGES.filter(([name]) => only.includes(name) && !skip.includes(name));
if (chosen.length === 0) stop(`Nothing is left to run.\n\n${HELP}`);

requireTools();
installPackages();

const results = chosen.map(([name, , execute], index) => {
  console.log(`\n=== ${name} (${index + 1} of ${chosen.length}) ===`);
  const began = Date.now();
  const passed = execute();
  return { name, passed, seconds: Math.round((Date.now() - began) / 1000) };
});

console.log('\n=== summary ===');
for (const { name, passed, seconds } of results) {
  console.log(`${passed ? 'passed' : 'FAILED'}  ${name} (${seconds} s)`);
}
const failed = results.filter((result) => !result.passed).length;
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
