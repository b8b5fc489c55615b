'use strict';

// Each supported Node, Bun and Deno, with the package as npm installs it.

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const { ECHO, ECHOED, createApp, env, removeAll } = require('./harness');
const { VERSIONS, obtain } = require('../../../scripts/runtime-cache');

const SMOKE = path.join(__dirname, '..', '..', '..', 'scripts', 'release', 'smoke.js');

/** What makes a program of a file, and what the smoke test says in the end. */
const RUNTIMES = {
  node: { flags: [], says: (version) => `, Node.js v${version}\n` },
  // Both name the version of Node that they resemble.
  bun: { flags: [], says: () => ', Node.js v' },
  deno: { flags: ['run', '-A'], says: () => ', Node.js v' }
};
const SETTINGS = [
  {},
  { FERROWS_IO: 'inline' },
  { FERROWS_IO: 'worker' },
  { FERROWS_TRANSPORT: 'stream' }
];

let app;

beforeAll(() => {
  app = createApp();
  fs.copyFileSync(SMOKE, path.join(app.folder, 'smoke.cjs'));
  app.write('module.mjs', `import WebSocket, { WebSocketServer } from 'ferrows';${ECHO}`);
});

afterAll(removeAll);

/** Runs a file; a process that does not end is ended. */
function run(executable, args, variables = {}) {
  const options = { cwd: app.folder, env: env(variables), encoding: 'utf8', timeout: 120000 };
  const { stdout, stderr, status, signal } = spawnSync(executable, args, options);
  return { output: stdout + (status === 0 ? '' : stderr), status, signal };
}

for (const [name, { flags, says }] of Object.entries(RUNTIMES)) {
  for (const runtime of VERSIONS[name].map((version) => obtain(name, version))) {
    const { executable, reason, version } = runtime;
    const title = `${name} ${version}${reason === null ? '' : ` (skipped: ${reason})`}`;

    (reason === null ? describe : describe.skip)(title, () => {
      test.each(SETTINGS)('the smoke test, %j', (variables) => {
        const { output, ...ended } = run(executable, [...flags, 'smoke.cjs'], variables);
        expect(output).toMatch(/^smoke test passed/);
        expect(output).toContain(says(version));
        expect(ended).toEqual({ status: 0, signal: null });
      });

      test('an ES module', () => {
        const ended = run(executable, [...flags, 'module.mjs']);
        expect(ended).toEqual({ output: ECHOED, status: 0, signal: null });
      });
    });
  }
}
