// The part of SECURITY.md that the results of npm run bench:attackers fill. Called by
// ../publish.js. Tests: __test__/docs/attacks.test.js.

'use strict';

const scenarios = require('./scenarios');
const table = require('../table');

const UNITS = { peak: 'MiB', above: 'MiB more', blocked: 'ms blocked', max: 'ms' };

const mebibytes = (value) => value.toFixed(0);
const milliseconds = (value) => value.toFixed(value >= 10 ? 0 : 1);
const pair = (name, write, { ws, ferrows }) => `${write(ws[name])} → ${write(ferrows[name])}`;

/** What is wanted of ferrows, and what there is where that is not reached. */
function bounds({ wanted = {} }, { ferrows }) {
  const texts = Object.entries(wanted).map(([name, most]) => {
    const missed = ferrows[name] > most ? ` (**${ferrows[name].toFixed(1)}**)` : '';
    return `${most} ${UNITS[name]}${missed}`;
  });
  return texts.join(', ');
}

function row([name, results]) {
  const scenario = scenarios.find((one) => one.name === name);
  return [
    scenario.title,
    pair('peak', mebibytes, results),
    pair('afterwards', mebibytes, results),
    pair('p99', milliseconds, results),
    pair('max', milliseconds, results),
    bounds(scenario, results)
  ];
}

/**
 * @param {{conditions: Object, attacks: Object}} results
 * @return {String} Markdown
 */
function section({ conditions, attacks }) {
  const { cpus, io, node, repeat, ws } = conditions;
  const all = Object.values(attacks);
  const between = (library) => {
    const values = all.map((results) => results[library].before);
    return `${mebibytes(Math.min(...values))} to ${mebibytes(Math.max(...values))} MiB`;
  };
  const head = ['attack', 'peak, MiB', 'afterwards, MiB', 'p99, ms', 'longest, ms', 'bounds'];
  return [
    `ws ${ws} → ferrows (\`FERROWS_IO=${io}\`), Node ${node}, ${cpus} CPUs that attackers and server share;`,
    `medians of ${repeat} interleaved runs (\`npm run bench:attackers -- --repeat ${repeat}\`).`,
    '',
    'Memory is what is resident of the whole process, at its peak and five seconds after the attack. Before it,',
    `ws has ${between('ws')} and ferrows ${between('ferrows')}. Times are those of the echoes of a healthy`,
    'connection. The last column has the bounds that ferrows is to keep, and in bold what it came to where it does not.',
    '',
    table([head, ...Object.entries(attacks).map(row)]),
    ''
  ].join('\n');
}

module.exports = { section };
