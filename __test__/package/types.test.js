'use strict';

const path = require('path');
const { execFileSync } = require('child_process');

const root = path.join(__dirname, '..', '..');

test('TypeScript code as users write it compiles against index.d.ts', () => {
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--noEmit', '--strict', '--esModuleInterop', '--skipLibCheck'];
  const sample = path.join(__dirname, 'types-sample.ts');
  const run = () =>
    execFileSync(
      process.execPath,
      [compiler, ...options, '--module', 'node16', '--types', 'node', sample],
      { cwd: root, encoding: 'utf8', stdio: 'pipe' }
    );
  expect(run()).toBe('');
});
