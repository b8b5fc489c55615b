'use strict';

const fs = require('fs');
const path = require('path');

const { ECHO, ECHOED, PLATFORM, createApp, removeAll } = require('./harness');
const { FILE } = require('../staged');

const CJS = `const WebSocket = require('ferrows'), { WebSocketServer } = WebSocket;${ECHO}`;
const ESM = `import WebSocket, { WebSocketServer } from 'ferrows';${ECHO}`;

// What esbuild's ES modules need for any CommonJS package that requires Node's modules.
const BANNER =
  "import { createRequire } from 'module'; const require = createRequire(import.meta.url);";

let app;

beforeAll(() => {
  app = createApp({ tools: ['esbuild', 'webpack'] });
  app.write('cjs.js', CJS);
  app.write('esm.mjs', ESM);
});

afterAll(removeAll);

function build(script) {
  app.write('build.cjs', script);
  expect(app.node('build.cjs')).toBe('');
}

function esbuild(options) {
  build(
    `require('esbuild').buildSync(${JSON.stringify({ bundle: true, platform: 'node', ...options })})`
  );
}

function webpack(configuration) {
  const complete = { mode: 'production', target: 'node', context: app.folder, ...configuration };
  build(`require('webpack')(${JSON.stringify(complete)}, (error, stats) => {
    if (error || stats.hasErrors() || stats.hasWarnings()) console.log(error || String(stats));
  })`);
}

/** A bundle finds the binary in node_modules, or beside itself once it is moved away. */
function expectToWork(bundle) {
  expect(app.node(bundle)).toBe(ECHOED);

  const away = fs.mkdtempSync(path.join(path.dirname(app.folder), 'ferrows-bundle-'));
  try {
    const moved = path.join(away, path.basename(bundle));
    fs.copyFileSync(path.join(app.folder, bundle), moved);
    expect(app.node(moved)).toContain('Code that was bundled needs the binary beside it');

    const binary = path.join(app.folder, 'node_modules', PLATFORM, FILE);
    fs.mkdirSync(path.join(away, 'bin'));
    const elsewhere = path.join(away, 'bin', 'ferrows.node');
    fs.copyFileSync(binary, elsewhere);
    expect(app.node(moved, [], { FERROWS_NATIVE_PATH: elsewhere })).toBe(ECHOED);

    fs.copyFileSync(binary, path.join(away, FILE));
    return app.node(moved);
  } finally {
    fs.rmSync(away, { recursive: true });
  }
}

test('esbuild to CommonJS', () => {
  esbuild({ entryPoints: ['cjs.js'], outfile: 'out/esbuild.cjs', minify: true });
  expect(expectToWork('out/esbuild.cjs')).toBe(ECHOED);
});

test('esbuild to an ES module', () => {
  const banner = { js: BANNER };
  esbuild({ entryPoints: ['esm.mjs'], outfile: 'out/esbuild.mjs', format: 'esm', banner });
  // Without __dirname, "beside the bundle" is not known: the working directory stands in.
  expect(app.node('out/esbuild.mjs')).toBe(ECHOED);
});

test('webpack to CommonJS', () => {
  const output = { path: path.join(app.folder, 'out'), filename: 'webpack.cjs' };
  webpack({ entry: './cjs.js', output });
  expect(expectToWork('out/webpack.cjs')).toBe(ECHOED);
});

test('webpack to an ES module', () => {
  webpack({
    entry: './esm.mjs',
    output: { path: path.join(app.folder, 'out'), filename: 'webpack.mjs', module: true },
    experiments: { outputModule: true }
  });
  expect(app.node('out/webpack.mjs')).toBe(ECHOED);
});

test('a bundle for browsers says what to use instead', () => {
  app.write('browser.js', `const WebSocket = require('ferrows'); new WebSocket('ws://localhost');`);
  esbuild({ entryPoints: ['browser.js'], outfile: 'out/browser.js', platform: 'browser' });
  expect(app.node('out/browser.js')).toContain(
    'use the WebSocket object that the browser provides'
  );
});
