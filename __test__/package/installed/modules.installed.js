'use strict';

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const harness = require('./harness');
const { FILE } = require('../staged');
const { TARGETS, packageName } = require('../../../lib/loading/targets');
const { version } = require('../../../package.json');

const { ECHO, ECHOED, PLATFORM, contents, createApp, env, release, removeAll } = harness;

afterAll(removeAll);

const require_ = (name) => `const WebSocket = require('${name}'), { WebSocketServer } = WebSocket;`;

const listed = (file) => contents(file).map((name) => name.replace(/^package\//, ''));

test('the tarball has what is needed, nothing else, and no binary', () => {
  const files = listed(release().main);
  expect(files).toEqual(expect.arrayContaining(['index.js', 'wrapper.mjs', 'index.d.mts']));
  expect(files).toEqual(expect.arrayContaining(['index.d.ts', 'LICENSE']));
  const known =
    /^(?:(?:index|browser)\.js|wrapper\.mjs|index\.d\.m?ts|package\.json|(?:LICENSE|README\.md)|THIRD-PARTY-NOTICES\.txt|lib\/(?:[\w-]+\/)?[\w-]+\.js)$/;
  expect(files.filter((file) => !known.test(file))).toEqual([]);
});

test('the tarballs of platforms have a binary and what belongs to it', () => {
  const { platforms } = release();
  expect(platforms).toHaveLength(TARGETS.length);
  const own = platforms.find((file) => listed(file).includes(FILE));
  const texts = ['LICENSE', 'README.md', 'THIRD-PARTY-NOTICES.txt', 'package.json'];
  expect(listed(own).sort()).toEqual([...texts, FILE].sort());
});

describe('installed by its name', () => {
  let app;

  beforeAll(() => {
    app = createApp();
  });

  test('no compiler is on the PATH, and no package but the binary is needed', () => {
    const found = spawnSync('cargo', ['--version'], { env: env() });
    expect(found.error.code).toBe('ENOENT');
    const modules = path.join(app.folder, 'node_modules');
    const installed = fs.readdirSync(modules).filter((name) => !name.startsWith('.'));
    expect(installed).toEqual(['@ferrows', 'ferrows']);
    // Of eight that are optional the one that fits.
    expect(fs.readdirSync(path.join(modules, '@ferrows'))).toEqual([path.basename(PLATFORM)]);
    const file = path.join(modules, 'ferrows', 'package.json');
    const manifest = JSON.parse(fs.readFileSync(file, 'utf8'));
    expect(manifest).not.toHaveProperty('scripts');
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest.optionalDependencies).toEqual(
      Object.fromEntries(TARGETS.map(({ name }) => [packageName(name), version]))
    );
  });

  test('CommonJS', () => {
    app.write('main.cjs', require_('ferrows') + ECHO);
    expect(app.node('main.cjs')).toBe(ECHOED);
  });

  test('an ES module', () => {
    const imports = `import def, { WebSocket, WebSocketServer } from 'ferrows';
      import * as all from 'ferrows';
      console.log(def === WebSocket, Object.keys(all).join());`;
    app.write('main.mjs', imports + ECHO);
    const names =
      'PerMessageDeflate,Receiver,Sender,WebSocket,WebSocketServer,createWebSocketStream,default,' +
      'extension,subprotocol';
    expect(app.node('main.mjs')).toBe(`true ${names}\n${ECHOED}`);
  });

  test('the smoke test of releases', () => {
    const file = path.join(__dirname, '..', '..', '..', 'scripts', 'release', 'smoke.js');
    fs.copyFileSync(file, path.join(app.folder, 'smoke.js'));
    expect(app.node('smoke.js')).toMatch(/^smoke test passed/);
  });
});

test('installed under the name of ws', () => {
  const app = createApp({ as: 'ws' });
  app.write('main.cjs', require_('ws') + ECHO);
  app.write('main.mjs', `import WebSocket, { WebSocketServer } from 'ws';${ECHO}`);
  expect(app.node('main.cjs')).toBe(ECHOED);
  expect(app.node('main.mjs')).toBe(ECHOED);
});

test('in the place of the ws that other packages depend on, by overrides', () => {
  // One has it as a dependency, one as a peer, both of major version 8.
  const tools = ['engine.io-client', 'graphql-ws'];
  const overrides = { ws: `npm:ferrows@${version}` };
  const app = createApp({ as: 'ws', tools, manifest: { overrides } });
  app.write(
    'main.cjs',
    `const { createRequire } = require('module');
     for (const name of ['engine.io-client', 'graphql-ws']) {
       const from = createRequire(require.resolve(name));
       console.log(name, from('ws/package.json').name, from('ws') === require('ws'));
     }`
  );
  expect(app.node('main.cjs')).toBe('engine.io-client ferrows true\ngraphql-ws ferrows true\n');
});

describe('without the package of the platform', () => {
  test('as with --omit=optional, the error says which is missing and how to get it', () => {
    const app = createApp();
    const folder = path.join(app.folder, 'node_modules', '@ferrows');
    fs.rmSync(folder, { recursive: true });
    app.write('main.cjs', require_('ferrows') + ECHO);
    const output = app.node('main.cjs');
    expect(output).toContain(`Tried ${PLATFORM}: not installed`);
    expect(output).toContain(`install ${PLATFORM}@${version} beside this package`);

    harness.npm(['install', '--no-save', `${PLATFORM}@${version}`], app.folder);
    expect(app.node('main.cjs')).toBe(ECHOED);
  });

  test('of another version, both versions are named', () => {
    const app = createApp();
    const file = path.join(app.folder, 'node_modules', 'ferrows', 'package.json');
    const manifest = JSON.parse(fs.readFileSync(file, 'utf8'));
    fs.writeFileSync(file, JSON.stringify({ ...manifest, version: '99.0.0' }));
    app.write('main.cjs', require_('ferrows') + ECHO);
    expect(app.node('main.cjs')).toContain(`it belongs to ferrows ${version}, this is 99.0.0`);
  });
});

test('a tarball that was packed in a clone has its own binary', () => {
  const folder = harness.temporary('clone');
  const root = path.join(__dirname, '..', '..', '..');
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const name = harness.npm(args, root).trim().split('\n').pop();
  expect(listed(path.join(folder, name))).toContain(`lib/native/${FILE}`);
  const app = createApp({ as: null });
  harness.npm(['install', '--ignore-scripts', path.join(folder, name)], app.folder);
  app.write('main.cjs', require_('ferrows') + ECHO);
  expect(app.node('main.cjs')).toBe(ECHOED);
});
