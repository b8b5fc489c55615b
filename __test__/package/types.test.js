'use strict';

const fs = require('fs');
const path = require('path');
const { execFileSync } = require('child_process');

const root = path.join(__dirname, '..', '..');

/** Compiles a file; returns what the compiler has to say. */
function compile(name, ...more) {
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--types', 'node', ...more];
  try {
    return execFileSync(process.execPath, [compiler, ...options, path.join(__dirname, name)], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe'
    });
  } catch (error) {
    return error.stdout;
  }
}

test('TypeScript code as users write it compiles against index.d.ts', () => {
  expect(compile('types-sample.ts', '--esModuleInterop', '--module', 'node16')).toBe('');
});

test('everything that @types/ws declares is there', () => {
  expect(compile('types-parity.ts', '--module', 'node16')).toBe('');
});

test('every name that @types/ws declares is there', () => {
  const names = (file) => {
    const text = fs.readFileSync(file, 'utf8');
    const declared = /^ {2,4}(?:interface|type|class|const|function) (\w+)/gm;
    return [...text.matchAll(declared)].map(([, name]) => name);
  };
  const theirs = names(path.join(root, 'node_modules', '@types', 'ws', 'index.d.ts'));
  const ours = new Set(names(path.join(root, 'index.d.ts')));
  expect(theirs.length).toBeGreaterThan(20);
  expect(theirs.filter((name) => !ours.has(name))).toEqual([]);
});

test('a mistake does not compile', () => {
  expect(compile('types-mistakes.ts', '--esModuleInterop', '--module', 'node16')).toBe('');
});
