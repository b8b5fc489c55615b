// npm run soak: peers of all kinds against a server in another process, for as long
// as one likes. --help explains the options.
//
// Owns: the two processes, the checkpoints, the report. Runs on: js.
// Tests: __test__/soak/soak.test.js, and the stage "soak" of npm test.

'use strict';

const path = require('path');
const { fork } = require('child_process');
const { once } = require('events');

const optionsOf = require('./options');
const { findGrowth, findRemains } = require('./flatness');

const MIB = 1 << 20;
// So many checkpoints, as far as there are some seconds between them.
const [CHECKPOINTS, LEAST_SECONDS] = [24, 4];
// Who is still alive then is kept alive by a leftover.
const LIMIT = 60000;

/** The server's process. */
class ServerProcess {
  constructor(options, ledger) {
    const file = path.join(__dirname, 'server.js');
    this._waiting = new Map();
    this._child = fork(file, [JSON.stringify(options)]);
    this._child.on('message', (message) => {
      for (const [kind, value] of Object.entries(message)) {
        if (kind === 'account') ledger.onAccount(value);
        else if (kind === 'complaint') ledger.note(value);
        else this._waiting.get(kind)(value);
      }
    });
    this.exit = once(this._child, 'exit').then(([code, signal]) => {
      return { code, signal };
    });
  }

  /** Asks something, or waits for what comes unasked. */
  async ask(kind, question = null) {
    const answer = new Promise((resolve) => this._waiting.set(kind, resolve));
    if (question !== null) this._child.send(question);
    const gone = this.exit.then(({ code, signal }) => {
      throw new Error(`the server is gone: exit code ${code}, signal ${signal}`);
    });
    return Promise.race([answer, gone]);
  }

  /** Ends what does not end by itself. */
  endWithin(milliseconds) {
    const timer = setTimeout(() => this._child.kill('SIGKILL'), milliseconds);
    this.exit.then(() => clearTimeout(timer));
  }
}

function describe(name, { rss, heap, external, fds, threads, handles }) {
  const kinds = Object.entries(handles).map(([kind, count]) => `${kind} ${count}`);
  const sizes = Object.entries({ RSS: rss, heap, external })
    .map(([kind, bytes]) => `${kind} ${(bytes / MIB).toFixed(1)} MiB`)
    .join(', ');
  return `  ${name}: ${sizes}, ${fds} fds, ${threads} threads, ${kinds.join(', ')}`;
}

async function soak(options) {
  optionsOf.setVariables(options);
  // Not before the variables are set.
  const library = require(options.library === 'ws' ? 'ws' : '..');
  const badServer = require('./bad-server');
  const handOvers = require('./hand-overs');
  const { Leftovers, settled } = require('./gauges');
  const { Ledger } = require('./ledger');
  const { EVERY, Traffic } = require('./traffic');

  const ledger = new Ledger();
  const server = new ServerProcess(options, ledger);
  const ports = await server.ask('ports');
  const bad = await badServer.start();
  const leftovers = new Leftovers();
  const traffic = new Traffic({ badPort: bad.port, ledger, leftovers, library, options, ports });
  const stop = handOvers.begin(options);
  const remains = () => ({ WebSockets: leftovers.count });

  const seconds = options.minutes * 60;
  const count = Math.max(2, Math.min(CHECKPOINTS, Math.floor(seconds / LEAST_SECONDS)));
  const series = { clients: [], server: [] };
  for (let index = 0; index < count && !ledger.isFull; index++) {
    await Promise.race([
      traffic.run((seconds * 1000) / count),
      server.exit.then(({ code, signal }) => {
        throw new Error(`the server is gone: exit code ${code}, signal ${signal}`);
      })
    ]);
    const [clients, other] = await Promise.all([settled(remains), server.ask('gauges', 'gauges')]);
    ledger.closeBooks();
    series.clients.push(clients);
    series.server.push(other);
    const remain = [...findRemains('clients', clients), ...findRemains('server', other)];
    const { connections, messages, bytes } = ledger.counts;
    const sums = `${connections} connections, ${messages} echoes, ${Math.round(bytes / MIB)} MiB`;
    console.log(`checkpoint ${index + 1} of ${count}: ${sums}`);
    console.log(describe('clients', clients));
    console.log(describe('server', other));
    // They would still be there the next time.
    if (remain.length > 0) {
      remain.forEach((text) => ledger.note(text));
      break;
    }
  }

  server.endWithin(2 * LIMIT);
  const { changes } = await server.ask('over', 'end');
  const { code, signal } = await server.exit;
  if (code !== 0) ledger.note(`the server's process ended with ${code === null ? signal : code}`);
  bad.close();
  const own = stop();
  for (const [name, all] of Object.entries(series)) {
    findGrowth(name, all).forEach((text) => ledger.note(text));
  }
  console.log(JSON.stringify({ ...options, handOvers: { clients: own, server: changes } }));
  console.log(JSON.stringify(ledger.counts.actions));
  const missing = EVERY.filter((kind) => !(kind in ledger.counts.actions));
  if (missing.length > 0) console.log(`never done: ${missing.join(', ')}`);
  return ledger.discrepancies;
}

async function main() {
  let options;
  try {
    options = optionsOf.parse(process.argv.slice(2));
  } catch (error) {
    console.error(`${error.message}\n\n${optionsOf.HELP}`);
    process.exit(1);
  }
  if (options.help) {
    console.log(optionsOf.HELP);
    return;
  }
  console.log(`seed ${options.seed}, ${options.minutes} minutes of traffic`);
  const discrepancies = await soak(options);
  console.log(`${discrepancies.length} discrepancies`);
  // What hangs is known already.
  if (discrepancies.length > 0) process.exit(1);
  setTimeout(() => {
    console.error(`DISCREPANCY: the clients' process does not end`);
    process.exit(3);
  }, LIMIT).unref();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
