// The Autobahn|Testsuite against our server and our client, on both transports.
//
//   node autobahn/run.js [--quick] [--role server|client] [--transport native|stream]
//
// --quick runs groups 1-7 and 10, else compression (12, 13) and limits (9) are
// included. Results are compared with expected.json; the process fails on any
// other outcome. Reports stay in autobahn/reports. Where the suite cannot be
// set up for want of apt-get, a quick run is skipped with a line that says so.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn, spawnSync } = require('child_process');
const { once } = require('events');

const expected = require('./expected.json');
const { stop } = require('../scripts/run');

const ROOT = path.join(__dirname, '..');
const REPORTS = path.join(__dirname, 'reports');
const QUICK = ['1.*', '2.*', '3.*', '4.*', '5.*', '6.*', '7.*', '10.*'];
const ALL = [...QUICK, '9.*', '12.*', '13.*'];
const TRANSPORTS = ['native', 'stream'];
const LONGEST_RUN = 45 * 60 * 1000;

const HELP = `Usage: npm run autobahn -- [--quick] [--role server|client] [--transport native|stream]

Runs the Autobahn Testsuite, in some 45 minutes; --quick runs groups 1-7 and 10, in about one.`;

/** What the command line chooses; ends the process if it is not understood. */
function parse(rest) {
  const options = { isQuick: false, roles: ['server', 'client'], transports: TRANSPORTS };
  while (rest.length > 0) {
    const argument = rest.shift();
    if (argument === '--help' || argument === '-h') {
      console.log(HELP);
      process.exit(0);
    }
    const list = { '--role': 'roles', '--transport': 'transports' }[argument];
    if (argument === '--quick') {
      options.isQuick = true;
    } else if (list !== undefined && options[list].includes(rest[0])) {
      options[list] = [rest.shift()];
    } else {
      stop(`Not understood: ${argument}${list === undefined ? '' : ` ${rest[0]}`}.\n\n${HELP}`);
    }
  }
  return options;
}

/** The suite's command, set up if need be; null where that is impossible. */
function setUpSuite() {
  const home = process.env.XDG_CACHE_HOME || path.join(os.homedir(), '.cache');
  const folder = process.env.FERROWS_AUTOBAHN || path.join(home, 'ferrows', 'autobahn');
  const script = path.join(ROOT, 'scripts', 'setup-autobahn.sh');
  const { status, stdout } = spawnSync('bash', [script, folder], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit']
  });
  return status === 0 ? stdout.trim().split('\n').pop() : null;
}

/** Starts a program and resolves with it and the first line that it prints. */
async function start(file, args, transport) {
  const child = spawn(process.execPath, [path.join(__dirname, file), ...args], {
    env: { ...process.env, FERROWS_TRANSPORT: transport === 'stream' ? 'stream' : '' },
    stdio: ['ignore', 'pipe', 'inherit']
  });
  const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
  return { child, line: line.trim() };
}

function suite(wstest, mode, spec, folder) {
  fs.rmSync(folder, { force: true, recursive: true });
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, 'spec.json');
  fs.writeFileSync(file, JSON.stringify({ outdir: folder, 'exclude-cases': [], ...spec }));
  const log = fs.openSync(path.join(folder, 'wstest.log'), 'w');
  const args = ['-m', mode, '-s', file, ...(mode === 'fuzzingserver' ? ['-u', '0'] : [])];
  return spawn(wstest, args, { cwd: folder, stdio: ['ignore', log, log] });
}

async function testServer(wstest, transport, cases, folder) {
  const { child: server, line: port } = await start('echo-server.js', [], transport);
  const agent = `server-${transport}`;
  const client = suite(
    wstest,
    'fuzzingclient',
    { servers: [{ agent, url: `ws://127.0.0.1:${port}` }], cases },
    folder
  );
  await exitOf(client);
  server.kill();
  return agent;
}

async function testClient(wstest, transport, cases, folder) {
  const port = 20000 + (process.pid % 20000);
  const url = `ws://127.0.0.1:${port}`;
  const server = suite(wstest, 'fuzzingserver', { url, cases }, folder);
  const agent = `client-${transport}`;
  const { child: client } = await start('echo-client.js', [url, agent], transport);
  await exitOf(client);
  server.kill();
  return agent;
}

async function exitOf(child) {
  const timer = setTimeout(() => child.kill(), LONGEST_RUN);
  if (child.exitCode === null) await once(child, 'exit');
  clearTimeout(timer);
}

/** What differs from the expectation, and a count of what there is. */
function judge(folder, agent) {
  const report = JSON.parse(fs.readFileSync(path.join(folder, 'index.json'), 'utf8'))[agent] || {};
  const counts = {};
  const differences = [];
  for (const [id, { behavior, behaviorClose }] of Object.entries(report)) {
    counts[behavior] = (counts[behavior] || 0) + 1;
    const wanted = expected.exceptions[id] || 'OK';
    // How the connection ended is not judged where the outcome is informational.
    const closeFits = ['OK', 'INFORMATIONAL'].includes(behaviorClose);
    if (behavior !== wanted || !closeFits) {
      differences.push(`${id}: ${behavior}, close ${behaviorClose}; expected ${wanted}`);
    }
  }
  return { counts, differences, total: Object.keys(report).length };
}

async function main() {
  const { isQuick, roles, transports } = parse(process.argv.slice(2));
  if (isQuick && !fs.existsSync('/usr/bin/apt-get')) {
    console.log('Skipped: the Autobahn|Testsuite is set up with apt-get, which is not here.');
    return;
  }
  const wstest = setUpSuite();
  if (wstest === null) {
    console.log('The Autobahn|Testsuite could not be set up.');
    process.exitCode = 1;
    return;
  }
  const tests = { server: testServer, client: testClient };
  for (const role of roles) {
    for (const transport of transports) {
      const folder = path.join(REPORTS, `${role}-${transport}`);
      const began = Date.now();
      const agent = await tests[role](wstest, transport, isQuick ? QUICK : ALL, folder);
      const { counts, differences, total } = judge(folder, agent);
      const complete = total === (isQuick ? expected.quickCases : expected.cases);
      const seconds = Math.round((Date.now() - began) / 1000);
      console.log(`${agent}: ${total} cases, ${JSON.stringify(counts)}, ${seconds} s`);
      for (const difference of differences) console.log(`  ${difference}`);
      if (!complete) console.log(`  not all cases ran: see ${folder}/wstest.log`);
      if (differences.length > 0 || !complete) process.exitCode = 1;
    }
  }
}

main();
