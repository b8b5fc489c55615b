// One measurement: a fresh server of one column, one load, what came of it.

'use strict';

const path = require('path');
const { once } = require('events');
const { spawn } = require('child_process');

const cpus = require('./cpus');
const load = require('./load');

const CLIENTS = path.join(__dirname, 'programs', 'clients.js');
const SERVER = path.join(__dirname, 'programs', 'server.js');

let server = null;

async function start(column, scenario) {
  const [cpu] = scenario.oneCpu ? cpus.allowed() : [];
  const [command, args] = cpus.bind(cpu, column.binary, column.server);
  const env = { ...process.env, ...column.environment, ...scenario.environment };
  server = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(server, 'exit').then(() => {
    throw new Error('the server ended');
  });
  const [line] = await Promise.race([once(server.stdout, 'data'), ended]);
  ended.catch(() => {});
  return Number(line);
}

/** Ends the server, if there is one. */
async function stop() {
  if (server === null) return;
  const closing = server;
  server = null;
  if (closing.exitCode === null && closing.signalCode === null) {
    closing.kill('SIGKILL');
    await once(closing, 'close');
  }
}

function loadServer(scenario, port, { seconds, warmup }) {
  const [, cpu] = scenario.oneCpu ? cpus.allowed() : [];
  const to = ['--port', port, '--pid', server.pid];
  const time = ['--seconds', seconds, '--warmup', warmup];
  // Later options win: a scenario may have a time of its own.
  const args = [scenario.mode, ...to, ...time, ...scenario.args];
  return load.run(...cpus.bind(cpu, load.LOADGEN, args));
}

/** Measures one scenario in one column once. */
async function measure(column, scenario, options) {
  try {
    if (scenario.clients === undefined) {
      return loadServer(scenario, await start(column, scenario), options);
    }
    // All clients are measured against the same server.
    const port = await start({ ...column, server: [SERVER, 'ferrows'], environment: {} }, scenario);
    const args = [CLIENTS, column.library, port, scenario.clients, options.seconds];
    return load.run(column.binary, args, column.environment);
  } finally {
    await stop();
  }
}

module.exports = { measure, stop };
