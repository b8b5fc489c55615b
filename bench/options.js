// The command line of `npm run bench`; bench/README.md explains it.

'use strict';

const fs = require('fs');
const path = require('path');
const { parseArgs } = require('util');

const SETTINGS = ['auto', 'inline', 'worker'];
const BUN = path.join(__dirname, '..', 'node_modules', '.bin', 'bun');

const HELP = `Usage: npm run bench -- [OPTION...]

Builds, then measures ferrows beside ws, interleaved, and prints medians. Linux.

  --only TEXT,...      scenarios whose names match one of these (regular expressions); those of
                       the backbone are measured only if they are named
  --list               names of the scenarios, nothing is measured
  --libs NAME,...      libraries to measure: ws, ferrows, and bun if it is here
  --io SETTING,...     settings of FERROWS_IO for ferrows: auto, inline, worker
  --repeat N           rounds (3)
  --seconds S          seconds per measurement (2)
  --warmup S           seconds before it (1)
  --quick              one short round
  --node FILE          the node that runs the servers
  --json FILE          writes the medians, and what was measured on what
  --svg FILE           draws them`;

const OPTIONS = {
  io: { type: 'string', default: 'auto' },
  json: { type: 'string' },
  libs: { type: 'string' },
  list: { type: 'boolean', default: false },
  node: { type: 'string', default: process.execPath },
  only: { type: 'string', default: '' },
  quick: { type: 'boolean', default: false },
  repeat: { type: 'string' },
  seconds: { type: 'string' },
  svg: { type: 'string' },
  warmup: { type: 'string' }
};

function positive(name, text) {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0`);
  return value;
}

/** Where Bun is, if it is here. */
function findBun(environment) {
  if (environment.BUN_PATH) return environment.BUN_PATH;
  return fs.existsSync(BUN) ? BUN : null;
}

function settings(text) {
  const wanted = text.split(',');
  const unknown = wanted.find((setting) => !SETTINGS.includes(setting));
  if (unknown !== undefined) throw new Error(`--io ${unknown}: one of ${SETTINGS.join(', ')}`);
  return wanted;
}

function libraries(text, bun) {
  if (text === undefined) return ['ws', 'ferrows', ...(bun === null ? [] : ['bun'])];
  const wanted = text.split(',');
  if (wanted.includes('bun') && bun === null) {
    throw new Error('Bun is not here: npm install --no-save bun, or set BUN_PATH');
  }
  return wanted;
}

/**
 * @param {String[]} args What follows the script's name
 * @param {Object} environment Environment variables
 * @return {Object}
 * @throws {Error} Its message is meant for the user
 */
function parse(args, environment) {
  const { values } = parseArgs({ args, options: OPTIONS });
  const bun = findBun(environment);
  const patterns = values.only.split(',').map((text) => new RegExp(text, 'i'));
  return {
    bun,
    chosen: ({ name }) => patterns.some((pattern) => pattern.test(name)),
    io: settings(values.io),
    json: values.json,
    libraries: libraries(values.libs, bun),
    list: values.list,
    named: values.only !== '',
    node: values.node,
    repeat: Math.ceil(positive('repeat', values.repeat ?? (values.quick ? 1 : 3))),
    seconds: positive('seconds', values.seconds ?? (values.quick ? 1 : 2)),
    svg: values.svg,
    warmup: positive('warmup', values.warmup ?? (values.quick ? 0.5 : 1))
  };
}

module.exports = { HELP, parse };
