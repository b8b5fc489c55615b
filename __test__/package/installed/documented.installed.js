'use strict';

// The commands and manifests of the documentation that install something, as they stand there.

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const {
  ECHO,
  ECHOED,
  TOOLS,
  createApp,
  env,
  npm,
  registry,
  removeAll,
  temporary
} = require('./harness');
const { BLOCKS, ROOT } = require('../../docs/blocks');

const named = (name) => BLOCKS.filter((block) => block.name === name);
const { version } = require('../../../package.json');

const TYPE_ROOTS = path.join(ROOT, 'node_modules', '@types');
const NPM_CACHE = npm(['config', 'get', 'cache'], ROOT).trim();
const COMPILER = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');

afterAll(removeAll);

/** An application that installs from the registry, with tools on its PATH. */
function application(tools = []) {
  const app = createApp({ as: null, tools });
  const address = registry();
  const variables = {
    // What managers remember of a registry may not outlive it: Yarn 4 tells registries apart by
    // host alone, and takes the addresses of tarballs from one that is gone.
    HOME: temporary('home'),
    XDG_CACHE_HOME: undefined,
    XDG_DATA_HOME: undefined,
    YARN_GLOBAL_FOLDER: undefined,
    YARN_CACHE_FOLDER: undefined,
    // By address, port and all.
    npm_config_cache: NPM_CACHE,
    npm_config_registry: address,
    // Of Yarn 2 and newer.
    YARN_ENABLE_IMMUTABLE_INSTALLS: 'false',
    YARN_ENABLE_TELEMETRY: 'false',
    YARN_NPM_REGISTRY_SERVER: address,
    YARN_UNSAFE_HTTP_WHITELIST: '127.0.0.1',
    PATH: [path.join(app.folder, 'node_modules', '.bin'), env().PATH].join(path.delimiter)
  };
  app.sh = (script) => {
    const options = { cwd: app.folder, env: env(variables), encoding: 'utf8' };
    const { status, stdout, stderr } = spawnSync('sh', ['-eu', '-c', script], options);
    if (status !== 0) throw new Error(`${script} failed:\n${stdout}${stderr}`);
    return stdout;
  };
  /** Which package stands behind a name. */
  app.behind = (name) => app.node('-p', [`require('${name}/package.json').name`]).trim();
  return app;
}

/** The same for package managers that keep a node_modules to themselves. */
function beside(tool) {
  const tools = application([tool]);
  const app = application();
  const { sh } = app;
  const bin = path.join(tools.folder, 'node_modules', '.bin');
  app.sh = (script) => sh(`PATH="${bin}:$PATH"\n${script}`);
  return app;
}

const echo = (name) =>
  `const WebSocket = require('${name}'), { WebSocketServer } = WebSocket;${ECHO}`;

/** Yarn 4, with a node_modules or, as by default, Plug'n'Play. */
function berry(linker) {
  const app = beside('@yarnpkg/cli-dist');
  app.write('.yarnrc.yml', `nodeLinker: ${linker}\n`);
  app.write('yarn.lock', '');
  return app;
}

const ALIASES = [
  ['npm-alias', 'npm', () => application()],
  ['pnpm-alias', 'pnpm', () => beside('pnpm')],
  ['yarn-alias', 'Yarn 1', () => beside('yarn')],
  ['yarn-alias', 'Yarn 4', () => berry('node-modules')]
];

const CHECKED = ['npm-install', 'pack', 'migrate', 'npm-rollback', 'esbuild'];
CHECKED.push(
  'npm-overrides',
  'pnpm-overrides',
  'yarn-resolutions',
  ...ALIASES.map(([name]) => name)
);

test('every named command and manifest of the documentation is here', () => {
  const names = BLOCKS.filter(({ language }) => ['sh', 'json', 'yaml'].includes(language)).flatMap(
    ({ name }) => (name === null ? [] : [name])
  );
  expect([...new Set(names)].sort()).toEqual([...new Set(CHECKED)].sort());
});

test.each(named('npm-install').map(({ page, code }) => [page, code]))('%s: install', (_, code) => {
  const app = application();
  app.sh(code);
  app.write('main.cjs', echo('ferrows'));
  expect(app.node('main.cjs')).toBe(ECHOED);
});

test('pack a clone', () => {
  const [{ code }] = named('pack');
  const [build, pack] = code.trim().split('\n');
  // Building is a stage of its own, and needs a compiler.
  expect(build).toBe('npm run build');
  const folder = temporary('pack');
  const variables = env({ npm_config_pack_destination: folder });
  const { status } = spawnSync('sh', ['-c', pack], { cwd: ROOT, env: variables });
  expect(status).toBe(0);
  expect(fs.readdirSync(folder)).toEqual([`ferrows-${version}.tgz`]);
  expect(pack).toContain(`ferrows-${version}.tgz`);
});

test('migrate, and back', () => {
  const app = application();
  app.write(
    'server.js',
    "require('fs').appendFileSync('seen', require('ws/package.json').name + ' ');" + echo('ws')
  );
  const output = app.sh(named('migrate')[0].code);
  expect(output).toContain(ECHOED);
  expect(fs.readFileSync(path.join(app.folder, 'seen'), 'utf8')).toBe('ferrows ');
  expect(app.behind('ws')).toBe('ws');
});

test.each(ALIASES)('%s, and its types: %s', (name, _, make) => {
  const app = make();
  app.sh(named(name)[0].code);
  expect(app.behind('ws')).toBe('ferrows');
  app.write('main.cjs', echo('ws'));
  expect(app.node('main.cjs')).toBe(ECHOED);
  app.write(
    'types.cts',
    "import { WebSocketServer } from 'ws';\nnew WebSocketServer({ prot: 1 });\n"
  );
  const options = ['--noEmit', '--module', 'node16', '--types', 'node', '--typeRoots', TYPE_ROOTS];
  const complaints = app.node(COMPILER, [...options, 'types.cts']);
  expect(complaints.trim().split('\n')).toEqual([expect.stringMatching(/types\.cts\(2.*'prot'/)]);
  if (name !== 'npm-alias') return;
  expect(app.sh('npm ls ws')).toContain(`ws@npm:ferrows@${version}`);
  app.sh(named('npm-rollback')[0].code);
  expect(app.behind('ws')).toBe('ws');
});

const WHO = `
  const { createRequire } = require('module');
  for (const name of ['engine.io-client', 'graphql-ws']) {
    const from = createRequire(require.resolve(name));
    console.log(name, from('ws/package.json').name, from('ws') === require('ws'));
  }`;
const ALL_FERROWS = 'engine.io-client ferrows true\ngraphql-ws ferrows true\n';

test("yarn-alias, Plug'n'Play", () => {
  const app = berry('pnp');
  app.sh(named('yarn-alias')[0].code);
  app.write('main.cjs', echo('ws'));
  expect(app.sh('yarn node main.cjs')).toBe(ECHOED);
});

test.each([
  ['npm-overrides', 'npm', 'npm install', () => application()],
  ['yarn-resolutions', 'Yarn 1', 'yarn install', () => beside('yarn')],
  ['yarn-resolutions', 'Yarn 4', 'yarn install', () => berry('node-modules')]
])('%s: %s', (name, _, command, make) => {
  const app = make();
  app.write('package.json', JSON.stringify({ private: true, ...JSON.parse(named(name)[0].code) }));
  app.sh(command);
  app.write('main.cjs', WHO);
  expect(app.node('main.cjs')).toBe(ALL_FERROWS);
});

test('pnpm-overrides', () => {
  const app = beside('pnpm');
  const { dependencies } = JSON.parse(named('npm-overrides')[0].code);
  app.write('package.json', JSON.stringify({ private: true, dependencies }));
  app.write('pnpm-workspace.yaml', named('pnpm-overrides')[0].code);
  app.sh('pnpm install');
  app.write('main.cjs', WHO);
  expect(app.node('main.cjs')).toBe(ALL_FERROWS);
});

test('esbuild to an ES module', () => {
  const app = application(['esbuild']);
  app.sh(`npm install esbuild@${TOOLS.esbuild} ferrows`);
  app.write('app.mjs', `import WebSocket, { WebSocketServer } from 'ferrows';${ECHO}`);
  app.sh(named('esbuild')[0].code);
  expect(app.node('out.mjs')).toBe(ECHOED);
});
