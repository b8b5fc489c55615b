'use strict';

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const { ECHO, ECHOED, contents, createApp, env, removeAll, tarball } = require('./harness');
const { FILE } = require('../staged');

const MEGABYTE = 1 << 20;

afterAll(removeAll);

const require_ = (name) => `const WebSocket = require('${name}'), { WebSocketServer } = WebSocket;`;

test('the tarball has what is needed, nothing else, and is small', () => {
  const files = contents(tarball()).map((file) => file.replace(/^package\//, ''));
  expect(files).toEqual(expect.arrayContaining(['index.js', 'wrapper.mjs', 'index.d.mts']));
  expect(files).toEqual(expect.arrayContaining(['index.d.ts', 'LICENSE', `lib/native/${FILE}`]));
  const known =
    /^(?:(?:index|browser)\.js|wrapper\.mjs|index\.d\.m?ts|package\.json|(?:LICENSE|README\.md)|THIRD-PARTY-NOTICES\.txt|lib\/(?:[\w-]+\/)?[\w-]+\.js|lib\/native\/ferrows\.[\w-]+\.node)$/;
  expect(files.filter((file) => !known.test(file))).toEqual([]);
  expect(fs.statSync(tarball()).size).toBeLessThan(6 * MEGABYTE);
});

describe('installed by its name', () => {
  let app;

  beforeAll(() => {
    app = createApp();
  });

  test('no compiler is on the PATH, and no other package is needed', () => {
    const found = spawnSync('cargo', ['--version'], { env: env() });
    expect(found.error.code).toBe('ENOENT');
    const modules = path.join(app.folder, 'node_modules');
    expect(fs.readdirSync(modules).filter((name) => !name.startsWith('.'))).toEqual(['ferrows']);
    const { scripts } = JSON.parse(
      fs.readFileSync(path.join(modules, 'ferrows', 'package.json'), 'utf8')
    );
    expect(scripts).not.toHaveProperty('install');
    expect(scripts).not.toHaveProperty('preinstall');
    expect(scripts).not.toHaveProperty('postinstall');
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
  const overrides = { ws: `file:${tarball()}` };
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
