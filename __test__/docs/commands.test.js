'use strict';

// The commands of a clone say what they do, and what they do not understand.

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const { ROOT } = require('./blocks');
const { scripts } = require('../../package.json');

/** Runs the script behind a command of npm. */
function command(name, ...args) {
  const [, file] = /^node (\S+\.js)/.exec(scripts[name]);
  const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(ROOT, file), ...args], {
    cwd: ROOT,
    encoding: 'utf8'
  });
  return { status, stdout, stderr };
}

/** The stages, as the help lists them. */
function stages() {
  const { stdout } = command('test', '--help');
  return [...stdout.matchAll(/^ {2}([\w-]+) +\S/gm)].map(([, name]) => name);
}

test('npm test -- --help lists the stages', () => {
  expect(command('test', '--help')).toMatchObject({ status: 0, stderr: '' });
  expect(stages()).toEqual(expect.arrayContaining(['clippy', 'jest', 'package', 'autobahn']));
});

test.each([
  [['--only', 'jets'], 'Unknown stage jets.'],
  [['--only', 'jest,nothing,eslint,none'], 'Unknown stage nothing, none.'],
  [['--skip', 'autobhan'], 'Unknown stage autobhan.'],
  [['--only'], '--only needs names of stages.'],
  [['--onyl', 'jest'], 'Unknown option --onyl.'],
  [['--only', 'jest', '--skip', 'jest'], 'Nothing is left to run.']
])('npm test -- %j is an error, and lists the stages', (args, text) => {
  const { status, stdout, stderr } = command('test', ...args);
  expect(status).toBe(1);
  // Before anything is installed or run.
  expect(stdout).toBe('');
  expect(stderr).toContain(`${text}\n`);
  for (const name of stages()) expect(stderr).toContain(`  ${name} `);
});

// eslint and prettier have their own; prepack is npm's to call.
const OURS = Object.keys(scripts).filter((name) => /^node /.test(scripts[name]));
OURS.splice(OURS.indexOf('prepack'), 1);

test('the commands are known', () => {
  expect(OURS).toEqual(expect.arrayContaining(['start', 'test', 'build', 'bench:attackers']));
});

describe.each(OURS)('the command %s', (name) => {
  test.each(['--help', '-h'])('says with %s how it is used, and does nothing', (option) => {
    const { status, stdout, stderr } = command(name, option);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const npm = ['start', 'test'].includes(name) ? `npm ${name}` : `npm run ${name}`;
    expect(stdout.split('\n')[0]).toMatch(new RegExp(`^Usage: ${npm} -- \\S`));
  });

  test('says the same of an option that it does not know', () => {
    const { stdout: help } = command(name, '--help');
    const { status, stdout, stderr } = command(name, '--hlep');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain('--hlep');
    expect(stderr).toContain(help.trim());
  });
});

test.each([
  ['bench', ['--repeat', '0'], '--repeat must be a number above 0'],
  ['bench', ['--io', 'fast'], '--io fast: one of auto, inline, worker'],
  ['bench:attackers', ['--repeat', 'x'], '--repeat must be a number above 0'],
  ['start', ['--port', 'x'], '"x" is no port']
])('%s %j is an error', (name, args, text) => {
  const { status, stdout, stderr } = command(name, ...args);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(stderr).toContain(text);
});

test('npm run autobahn says what it takes', () => {
  const help = command('autobahn', '--help');
  expect(help).toMatchObject({ status: 0, stderr: '' });
  expect(help.stdout).toContain('--quick');
  for (const args of [['--fast'], ['--role', 'peer'], ['--transport']]) {
    const { status, stderr } = command('autobahn', ...args);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining(help.stdout.trim())
    });
  }
});

test('stages that the documentation names exist', () => {
  const pages = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'docs/migrating.md'];
  const named = pages.flatMap((page) =>
    [
      ...fs.readFileSync(path.join(ROOT, page), 'utf8').matchAll(/npm test -- --only ([\w-]+)/g)
    ].map(([, name]) => name)
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((name) => !stages().includes(name))).toEqual([]);
});

test('the README says which Rust is needed', () => {
  const cargo = fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8');
  const [, oldest] = /^rust-version = "([\d.]+)"/m.exec(cargo);
  for (const page of ['README.md', 'docs/support.md']) {
    expect(fs.readFileSync(path.join(ROOT, page), 'utf8')).toContain(`Rust ${oldest}`);
  }
});
