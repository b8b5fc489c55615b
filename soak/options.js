// The command line of `npm run soak`. Called by run.js. Tests: __test__/soak/soak.test.js.

'use strict';

const { parseArgs } = require('util');

const CHOICES = {
  io: ['auto', 'inline', 'worker'],
  library: ['ferrows', 'ws'],
  transport: ['native', 'stream'],
  fault: ['none', 'lose', 'alter', 'leak', 'silence']
};

const OPTIONS = {
  minutes: { type: 'string', default: '1' },
  seed: { type: 'string' },
  peers: { type: 'string', default: '16' },
  io: { type: 'string', default: 'auto' },
  library: { type: 'string', default: 'ferrows' },
  transport: { type: 'string', default: 'native' },
  fault: { type: 'string', default: 'none' },
  patience: { type: 'string', default: '120' },
  help: { type: 'boolean', short: 'h', default: false }
};

const HELP = `Usage: npm run soak -- [--minutes 1] [--seed N] [--peers 16] [--io auto|inline|worker]
                    [--transport native|stream] [--library ferrows|ws] [--patience 120]

Peers of all kinds against an echo server in a process of its own. Every message, callback and
connection is accounted for, and whatever could pile up is counted at intervals. The seed decides
what each peer does, one after the other; how the peers interleave is up to the machine.
What one peer does at a time is given up, as a discrepancy, after --patience seconds.
Exits with 1 on any discrepancy. --fault lose|alter|leak|silence makes the server misbehave, to see
that it is noticed.`;

/**
 * @param {String[]} args What follows the script's name
 * @return {Object}
 * @throws {Error} On an argument that cannot be used
 */
function parse(args) {
  const { values } = parseArgs({ args, options: OPTIONS });
  for (const [name, choices] of Object.entries(CHOICES)) {
    if (choices.includes(values[name])) continue;
    throw new Error(`--${name} ${values[name]}: one of ${choices.join(', ')}`);
  }
  return {
    ...values,
    minutes: above(0, 'minutes', values.minutes),
    patience: above(0, 'patience', values.patience),
    peers: Math.ceil(above(0, 'peers', values.peers)),
    seed: values.seed === undefined ? Date.now() % 1000000 : above(-1, 'seed', values.seed)
  };
}

function above(limit, name, text) {
  const value = Number(text);
  if (!(value > limit && value < Infinity)) {
    throw new Error(`--${name} must be a number above ${limit}`);
  }
  return value;
}

/** Sets the environment variables that make a process, and its children, use what was chosen. */
function setVariables({ io, transport }) {
  process.env.FERROWS_IO = io;
  delete process.env.FERROWS_TRANSPORT;
  if (transport === 'stream') process.env.FERROWS_TRANSPORT = 'stream';
}

module.exports = { HELP, parse, setVariables };
