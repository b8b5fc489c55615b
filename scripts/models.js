// npm run models: the models of the synchronisation, in every order of threads with few
// preemptions (src/sync.rs, ARCHITECTURE.md). --preemptions N tries more of them.

'use strict';

const path = require('path');

const { helpIfAsked, run, stop } = require('./run');

const HELP = `Usage: npm run models -- [--preemptions N] [NAME]

Checks the models whose names contain NAME. Those that are not small enough to be tried in
every order are tried with as many preemptions as their files say, or with N.`;

const variables = { RUSTFLAGS: '--cfg models', RUST_BACKTRACE: '0' };
let name = 'models::';

helpIfAsked(HELP);
const rest = process.argv.slice(2);
while (rest.length > 0) {
  const argument = rest.shift();
  if (argument === '--preemptions' && /^\d+$/.test(rest[0])) {
    variables.LOOM_MAX_PREEMPTIONS = rest.shift();
  } else if (argument.startsWith('-')) stop(`Not understood: ${argument}.\n\n${HELP}`);
  else name = argument;
}

// A target folder of its own: the flag concerns every dependency.
const target = ['--target-dir', path.join('target', 'models')];
const args = ['test', '-p', 'ferrows-core', '--lib', '--profile', 'models', ...target, name];
process.exitCode = run('cargo', args, variables) ? 0 : 1;
