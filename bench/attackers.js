// npm run bench:attackers: what attackers cost ws and ferrows, and a healthy connection
// beside them. bench/README.md explains it; bench/attacks/scenarios.js says what is done.
// Medians of interleaved runs. Loopback only; ends by itself.

'use strict';

const { writeFileSync } = require('fs');
const { parseArgs } = require('util');

const cpus = require('./cpus');
const medians = require('./medians');
const { measure } = require('./attacks/measure');
const scenarios = require('./attacks/scenarios');
const { helpIfAsked, stop } = require('../scripts/run');

const HELP = `Usage: npm run bench:attackers -- [OPTION...]

Lets attackers at ws and ferrows, and measures peak memory and a healthy connection beside them.
Linux; needs the native addon (npm run build).

  --only TEXT,...    scenarios whose names match one of these (regular expressions)
  --list             names of the scenarios and what they do, nothing is measured
  --libs NAME,...    libraries to measure (ws,ferrows)
  --io SETTING       FERROWS_IO for ferrows: auto, inline or worker (auto)
  --repeat N         rounds (3)
  --json FILE        writes the medians, for npm run bench:publish`;

const OPTIONS = {
  io: { type: 'string', default: 'auto' },
  json: { type: 'string' },
  libs: { type: 'string', default: 'ws,ferrows' },
  list: { type: 'boolean', default: false },
  only: { type: 'string', default: '' },
  repeat: { type: 'string', default: '3' }
};
const COLUMNS = ['before', 'peak', 'afterwards', 'took', 'blocked', 'p50', 'p99', 'max', 'calmP99'];
const LABEL = 12;
const WIDTH = 11;

function digits(value) {
  return value >= 10 || value === 0 ? value.toFixed(0) : value.toFixed(value >= 1 ? 1 : 2);
}

function row(label, cells) {
  return label.padEnd(LABEL) + cells.map((cell) => cell.padStart(WIDTH)).join('');
}

function print({ title, wanted = {} }, results) {
  console.log(`\n${title}`);
  console.log(row('', COLUMNS));
  for (const [library, result] of Object.entries(results)) {
    const late = result.late > 0 ? '  NOT FINISHED' : '';
    console.log(
      row(
        library,
        COLUMNS.map((name) => digits(result[name]))
      ) + late
    );
  }
  if (results.ferrows === undefined) return;
  for (const [name, most] of Object.entries(wanted)) {
    const reached = results.ferrows[name];
    console.log(
      `  ${name} ${digits(reached)}, wanted <= ${most}: ${reached <= most ? 'met' : 'MISSED'}`
    );
  }
}

/** What the command line chooses; ends the process if it is not understood. */
function readOptions() {
  helpIfAsked(HELP);
  try {
    const { values } = parseArgs({ options: OPTIONS });
    if (!(Number(values.repeat) > 0)) throw new Error('--repeat must be a number above 0');
    const patterns = values.only.split(',').map((text) => new RegExp(text, 'i'));
    return { values, patterns };
  } catch (error) {
    return stop(`${error.message}\n\n${HELP}`);
  }
}

/** What is measured on what. */
function conditionsOf({ io, repeat }) {
  return {
    node: process.versions.node,
    ws: require('ws/package.json').version,
    cpus: cpus.allowed().length,
    io,
    repeat: Number(repeat)
  };
}

async function main() {
  const { values, patterns } = readOptions();
  const chosen = scenarios.filter(({ name }) => patterns.some((pattern) => pattern.test(name)));
  if (values.list) {
    for (const { name, title } of chosen) console.log(`${name.padEnd(LABEL)} ${title}`);
    return;
  }
  const all = {};
  for (const scenario of chosen) {
    const runs = {};
    for (let round = 0; round < Number(values.repeat); round++) {
      for (const library of values.libs.split(',')) {
        const result = await measure(scenario, library, { FERROWS_IO: values.io });
        (runs[library] ??= []).push(result);
      }
    }
    const results = Object.fromEntries(
      Object.entries(runs).map(([library, list]) => [library, medians(list)])
    );
    print(scenario, results);
    all[scenario.name] = results;
  }
  console.log('\nMiB and milliseconds; p50, p99 and max are of the healthy connection');
  if (values.json === undefined) return;
  const results = { conditions: conditionsOf(values), attacks: all };
  writeFileSync(values.json, JSON.stringify(results, null, 2));
}

main();
