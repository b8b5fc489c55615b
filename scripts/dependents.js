// Runs the scenarios of __test__/dependents twice: with ws, and with the packed
// package installed under the name ws, for everything that depends on it. Installs
// from the npm registry, without install scripts. --only TEXT,... chooses files.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn, spawnSync } = require('child_process');
const { once } = require('events');

const { ROOT, stop } = require('./run');

const SOURCE = path.join(ROOT, '__test__', 'dependents');
// With ws, the packages lie beside the scenarios; the blocks of the documentation use them, too.
const APPS = { ws: SOURCE, ferrows: path.join(ROOT, '.cache', 'dependents') };
const MANIFEST = JSON.parse(fs.readFileSync(path.join(SOURCE, 'package.json'), 'utf8'));

// A process of scenarios: each of them has a limit of its own, below this.
const LIMIT = 240000;
const AT_ONCE = 2;

function npm(args, cwd) {
  const shell = process.platform === 'win32';
  const { status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8', shell });
  if (status !== 0) stop(`npm ${args.join(' ')} failed in ${cwd}:\n${stdout}${stderr}`);
  return stdout;
}

function install(folder) {
  npm(['install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund'], folder);
}

/** Installs the packages unless those are there. */
function installWithWs() {
  const mark = path.join(SOURCE, 'node_modules', '.installed.json');
  const wanted = JSON.stringify(MANIFEST);
  if (fs.existsSync(mark) && fs.readFileSync(mark, 'utf8') === wanted) return;
  console.log('Installing packages that depend on ws …');
  install(SOURCE);
  fs.writeFileSync(mark, wanted);
}

/** Installs the same with this package as ws; it is packed anew each time. */
function installWithFerrows() {
  const folder = APPS.ferrows;
  console.log('Packing this package, and installing the same packages with it as ws …');
  fs.mkdirSync(folder, { recursive: true });
  for (const file of fs.readdirSync(folder).filter((name) => name !== 'node_modules')) {
    fs.rmSync(path.join(folder, file), { recursive: true });
  }
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  const tarball = npm(args, ROOT).trim().split('\n').pop();
  // Another version, another content: npm must not take the one that it installed before.
  fs.rmSync(path.join(folder, 'node_modules', 'ws'), { recursive: true, force: true });
  fs.rmSync(path.join(folder, 'node_modules', '.package-lock.json'), { force: true });
  const dependencies = { ...MANIFEST.dependencies, ws: `file:${tarball}` };
  const text = JSON.stringify({ ...MANIFEST, dependencies }, null, 2);
  fs.writeFileSync(path.join(folder, 'package.json'), text);
  install(folder);
  for (const file of fs.readdirSync(SOURCE).filter((name) => name.endsWith('.js'))) {
    fs.copyFileSync(path.join(SOURCE, file), path.join(folder, file));
  }
}

/** Every package installed under the name ws must be the one that is meant. */
function checkInstalled(library) {
  const installed = [];
  const visit = (folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const inside = path.join(folder, entry.name);
      if (entry.name === 'ws' && path.basename(folder) === 'node_modules') installed.push(inside);
      visit(inside);
    }
  };
  visit(path.join(APPS[library], 'node_modules'));
  const names = installed.map(
    (folder) => JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')).name
  );
  if (names.length === 0 || names.some((name) => name !== library)) {
    stop(`These are not ${library}: ${installed.join(', ')}`);
  }
}

/** Runs a file of scenarios in a process, which must end by itself. */
async function runFile(library, file) {
  const began = Date.now();
  const child = spawn(process.execPath, ['--test-reporter=tap', file], {
    cwd: APPS[library],
    env: { ...process.env, NODE_ENV: 'test' },
    stdio: ['ignore', 'pipe', 'pipe']
  });
  let output = '';
  let late = false;
  child.stdout.on('data', (data) => (output += data));
  child.stderr.on('data', (data) => (output += data));
  const limit = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, LIMIT);
  const [status] = await once(child, 'close');
  clearTimeout(limit);
  const passed = status === 0 && /^# pass [1-9]/m.test(output);
  const seconds = Math.round((Date.now() - began) / 1000);
  console.log(`${passed ? 'passed' : 'FAILED'}  ${file} with ${library} (${seconds} s)`);
  if (passed) {
    for (const [line] of output.matchAll(/^ok \d+ - .*# SKIP.*$/gm)) console.log(`        ${line}`);
  } else {
    console.log(output + (late ? `\nIt did not end within ${LIMIT / 1000} s.` : ''));
  }
  return passed;
}

async function main() {
  const [option, names] = process.argv.slice(2);
  if (option !== undefined && (option !== '--only' || !names)) stop('Usage: --only TEXT,...');
  const files = fs
    .readdirSync(SOURCE)
    .filter((file) => file.endsWith('.scenario.js'))
    .filter((file) => !names || names.split(',').some((text) => file.includes(text)));
  if (files.length === 0) stop('No file has such a name.');

  installWithWs();
  installWithFerrows();
  const runs = Object.keys(APPS).flatMap((library) => {
    checkInstalled(library);
    return files.map((file) => [library, file]);
  });
  const results = [];
  const work = async () => {
    while (runs.length > 0) results.push(await runFile(...runs.shift()));
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, os.cpus().length) }, work));
  const failed = results.filter((passed) => !passed).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

main();
