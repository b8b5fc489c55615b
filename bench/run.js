// npm run bench: measures ferrows beside ws, interleaved, and prints medians.
//
// --repeat N (3)  --seconds S (2)  --only TEXT,TEXT  --libs ws,ferrows
// --quick (one short round)  --json FILE  --svg FILE
// Runs on Linux: it reads CPU time and memory of the servers from /proc.

'use strict';

const fs = require('fs');
const path = require('path');
const { spawn, spawnSync } = require('child_process');

const chart = require('./chart');
const scenarios = require('./scenarios');

const ROOT = path.join(__dirname, '..');
const LOADGEN = path.join(ROOT, 'target', 'release', 'ferrows-loadgen');
const SERVER = path.join(__dirname, 'programs', 'server.js');
const CLIENTS = path.join(__dirname, 'programs', 'clients.js');
const LIMIT = 120000;

function option(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at === -1 ? fallback : process.argv[at + 1];
}

const quick = process.argv.includes('--quick');
const repeat = Number(option('repeat', quick ? 1 : 3));
const seconds = option('seconds', quick ? '1' : '2');
const libraries = option('libs', 'ws,ferrows').split(',');
const only = option('only', '').split(',');

let server = null;

function build() {
  const run = (command, args) => {
    if (spawnSync(command, args, { cwd: ROOT, stdio: 'inherit' }).status !== 0) process.exit(1);
  };
  run(process.execPath, [path.join('scripts', 'build.js')]);
  run('cargo', ['build', '--release', '--quiet', '-p', 'ferrows-loadgen']);
}

/** Starts a fresh server and resolves with its port. */
function startServer(library, { environment }) {
  const env = { ...process.env, ...environment };
  server = spawn(process.execPath, [SERVER, library], {
    env,
    stdio: ['pipe', 'pipe', 'inherit']
  });
  return new Promise((resolve, reject) => {
    server.stdout.once('data', (data) => resolve(Number(data)));
    server.once('exit', () => reject(new Error(`the server with ${library} ended`)));
  });
}

/** Measures one scenario with one library once. */
async function measure(library, scenario) {
  // Clients are measured against the same server.
  const port = await startServer(scenario.clients ? 'ferrows' : library, scenario);
  const [command, args] = scenario.clients
    ? [process.execPath, [CLIENTS, library, port, scenario.clients, seconds]]
    : [
        LOADGEN,
        [scenario.mode, '--port', port, '--pid', server.pid, '--seconds', seconds, ...scenario.args]
      ];
  const { status, stdout, stderr } = spawnSync(command, args.map(String), {
    encoding: 'utf8',
    timeout: LIMIT
  });
  server.removeAllListeners('exit');
  server.kill('SIGKILL');
  await new Promise((resolve) => server.once('close', resolve));
  server = null;
  if (status !== 0) throw new Error(`${scenario.name} with ${library}: ${stderr}`);
  return JSON.parse(stdout);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The medians of all numbers of several measurements. */
function medians(runs) {
  const names = Object.keys(runs[0]);
  return Object.fromEntries(names.map((name) => [name, median(runs.map((run) => run[name]))]));
}

function show(scenario, results) {
  const { measure: key = 'perSecond', unit = '/s' } = scenario;
  const base = results[libraries[0]];
  console.log(`\n${scenario.name}`);
  for (const library of libraries) {
    const result = results[library];
    const fields = [library.padEnd(12), result[key].toFixed(key === 'perSecond' ? 0 : 2), unit];
    if (result.mainMicros) {
      fields.push(
        `| JS thread ${result.mainMicros.toFixed(3)} us, all ${result.allMicros.toFixed(3)} us`
      );
    }
    if (scenario.clients) fields.push(`| ${result.residentEach.toFixed(2)} KiB each`);
    if (result.p50) fields.push(`| p50 ${result.p50} us, p99 ${result.p99} us`);
    if (library !== libraries[0]) {
      const less = scenario.target < 1;
      const ratio = result[key] / base[key];
      const reached = less ? ratio <= scenario.target : ratio >= scenario.target;
      const aim = `${less ? '<=' : '>='} ${scenario.target.toFixed(2)}x`;
      fields.push(`| ${ratio.toFixed(2)}x (aim ${aim}: ${reached ? 'reached' : 'missed'})`);
      if (scenario.cpuTarget) {
        const cpu = base.mainMicros / result.mainMicros;
        const cpuReached = cpu >= 1 / scenario.cpuTarget;
        const cpuAim = `1/${Math.round(1 / scenario.cpuTarget)}`;
        fields.push(
          `| JS CPU 1/${cpu.toFixed(1)} (aim ${cpuAim}: ${cpuReached ? 'reached' : 'missed'})`
        );
      }
    }
    console.log(`  ${fields.join(' ')}`);
  }
}

async function main() {
  build();
  const all = {};
  for (const scenario of scenarios) {
    if (!only.some((text) => scenario.name.includes(text))) continue;
    const runs = Object.fromEntries(libraries.map((library) => [library, []]));
    for (let round = 0; round < repeat; round++) {
      for (const library of libraries) runs[library].push(await measure(library, scenario));
    }
    const results = Object.fromEntries(
      libraries.map((library) => [library, medians(runs[library])])
    );
    all[scenario.name] = results;
    show(scenario, results);
  }
  if (option('json')) fs.writeFileSync(option('json'), `${JSON.stringify(all, null, 2)}\n`);
  if (option('svg')) fs.writeFileSync(option('svg'), chart(all));
}

process.on('SIGINT', () => {
  if (server !== null) server.kill('SIGKILL');
  process.exit(130);
});

main().catch((error) => {
  console.error(error.message);
  if (server !== null) server.kill('SIGKILL');
  process.exitCode = 1;
});
