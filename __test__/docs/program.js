// Runs a block of the documentation as a program of its own.
//
// In a folder where `ferrows` is this library, `ws` is it, too, for packages that
// require that, and other packages are those of __test__/dependents, if they are
// installed. Each 8080 in the code becomes a free port. Used by blocks.test.js.

'use strict';

const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { builtinModules, createRequire } = require('module');
const { once } = require('events');
const { spawn, spawnSync } = require('child_process');

const { make } = require('../support/certificate');
const { ROOT } = require('./blocks');
const { obstacle } = require('../dependents/engines');
const { freePort } = require('../support/ports');

const LIMIT = 50000;
const DEPENDENTS = path.join(ROOT, '__test__', 'dependents');
const ALIAS = `
  const Module = require('module');
  const { _resolveFilename: resolve } = Module;
  Module._resolveFilename = function (name, ...rest) {
    return resolve.call(this, name === 'ws' ? ${JSON.stringify(ROOT)} : name, ...rest);
  };`;

/** Why a block, or its check, which needs `more` packages, cannot run here; null if it can. */
function hindrance(code, more = []) {
  const names = packagesOf(code, more);
  const absent = names.filter(
    (name) => !fs.existsSync(path.join(DEPENDENTS, 'node_modules', name, 'package.json'))
  );
  if (absent.length === 0) return obstacle(names);
  return `not in __test__/dependents/node_modules: ${absent.join(', ')}`;
}

function packagesOf(code, more) {
  const names = [...code.matchAll(/(?:require\(|from |import )'([^'.][^']*)'/g)].map(([, name]) =>
    name.split('/', name.startsWith('@') ? 2 : 1).join('/')
  );
  const ours = ['ferrows', 'ws', ...builtinModules];
  return [...new Set([...names, ...more])].filter((name) => !ours.includes(name));
}

/** TypeScript to JavaScript; throws what the compiler has to say. */
function compile(folder, file) {
  const compiler = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const options = ['--strict', '--skipLibCheck', '--target', 'es2022', '--module', 'node16'];
  options.push('--experimentalDecorators', '--emitDecoratorMetadata', '--types', 'node');
  options.push('--typeRoots', path.join(ROOT, 'node_modules', '@types'));
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...options, file], {
    cwd: folder,
    encoding: 'utf8'
  });
  if (status !== 0) throw new Error(stdout);
  return file.replace(/\.mts$/, '.mjs');
}

/** The packages that a program finds. */
function furnish(folder) {
  const modules = path.join(folder, 'node_modules');
  const link = (name, to) => {
    fs.mkdirSync(path.dirname(path.join(modules, name)), { recursive: true });
    fs.symlinkSync(to, path.join(modules, name), 'junction');
  };
  link('ferrows', ROOT);
  link('@types/node', path.join(ROOT, 'node_modules', '@types', 'node'));
  const installed = path.join(DEPENDENTS, 'node_modules');
  if (!fs.existsSync(installed)) return;
  for (const entry of fs.readdirSync(installed).filter((name) => /^[@\w]/.test(name))) {
    const names = entry.startsWith('@')
      ? fs.readdirSync(path.join(installed, entry)).map((name) => `${entry}/${name}`)
      : [entry];
    const others = names.filter((name) => name !== 'ferrows' && name !== '@types/node');
    for (const name of others) link(name, path.join(installed, name));
  }
}

/**
 * @param {{code: String, language: String, name: ?String}} block
 * @param {Object} [replaced] More texts of the code and what stands there instead
 * @return {Promise<Object>} The running program: `port`, `child`, `ended` (resolves with the exit
 *     code and all that was printed), `listening()`, `requireLike` (as the program's require) and
 *     `stop()`, which must be called
 */
async function start({ code, language }, replaced = {}) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-docs-')));
  const port = await freePort();
  for (const [text, instead] of Object.entries({ ...replaced, 8080: port })) {
    code = code.replaceAll(text, String(instead));
  }
  furnish(folder);
  fs.writeFileSync(path.join(folder, 'alias.cjs'), ALIAS);
  if (/\.pem\b/.test(code)) {
    const { key, cert } = make();
    fs.writeFileSync(path.join(folder, 'key.pem'), key);
    fs.writeFileSync(path.join(folder, 'cert.pem'), cert);
  }
  const isModule = language === 'js' && /^import /m.test(code);
  let file = `program.${language === 'ts' ? 'mts' : isModule ? 'mjs' : 'cjs'}`;
  fs.writeFileSync(path.join(folder, file), code);
  if (language === 'ts') file = compile(folder, file);

  const child = spawn(process.execPath, ['--require', './alias.cjs', file], { cwd: folder });
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT);
  let output = '';
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const ended = once(child, 'close').then(([status, signal]) => {
    clearTimeout(limit);
    return { status, signal, output };
  });
  let running = true;
  ended.then(() => (running = false));

  return {
    port,
    child,
    ended,
    requireLike: createRequire(path.join(folder, file)),
    async listening() {
      for (;;) {
        const socket = net.connect(port, 'localhost');
        const answered = await once(socket, 'connect').then(
          () => true,
          () => false
        );
        socket.destroy();
        if (answered) return;
        if (!running) throw new Error(`The program has ended:\n${(await ended).output}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    async stop() {
      child.kill('SIGKILL');
      await ended;
      fs.rmSync(folder, { recursive: true, force: true });
    }
  };
}

module.exports = { DEPENDENTS, hindrance, start };
