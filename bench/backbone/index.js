// The backbone beside socket.io with its Redis adapter: npm run bench -- --only backbone.
//
// Owns: columns, tables, verdicts; scenarios.js says what is measured. Called by run.js for
// scenarios that are named; what has no engine here, or no socket.io, is left out, and said.

'use strict';

const { spawnSync } = require('child_process');

const medians = require('../medians');
const packages = require('./packages');
const { scenarios } = require('./scenarios');

const PROGRAMS = { redis: 'redis-server', nats: 'nats-server' };
const LABEL = 18;
const WIDTH = 18;

function isThere(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

function columnsOf({ node, io }, failures) {
  const folder = packages.obtain();
  if (folder === null) failures.push('socket.io could not be installed');
  const environment = { FERROWS_IO: io[0] };
  const all = [
    ...(folder === null ? [] : [{ label: 'socket.io/redis', library: 'socket.io', folder }]),
    { label: 'ferrows/redis', library: 'ferrows', environment },
    { label: 'ferrows/nats', library: 'ferrows', environment }
  ];
  return all
    .map((column) => ({ ...column, node, engine: column.label.split('/')[1], inflight: 32 }))
    .filter(({ engine }) => {
      if (isThere(PROGRAMS[engine])) return true;
      failures.push(`there is no ${PROGRAMS[engine]}`);
      return false;
    });
}

function digits(value) {
  if (value === 0 || value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

function table({ columns }, results) {
  const row = (label, cells) =>
    `  ${label.padEnd(LABEL)}${cells.map((cell) => cell.padStart(WIDTH)).join('')}`;
  const rows = Object.entries(results).map(([label, result]) =>
    row(
      label,
      Object.keys(columns).map((name) => digits(result[name]))
    )
  );
  return [row('', Object.values(columns)), ...rows].join('\n');
}

/** What became of the aims, a line each. */
function verdicts({ aims, columns }, results) {
  const base = results['socket.io/redis'];
  const judged = Object.entries(results).filter(([label]) => label.startsWith('ferrows'));
  return judged.flatMap(([label, result]) =>
    Object.entries(aims).flatMap(([name, { least, most, ratio }]) => {
      const value = result[name];
      const say = (met, text) => `  ${label}: ${columns[name]} ${text}: ${met ? 'met' : 'MISSED'}`;
      const lines = [];
      if (least !== undefined) lines.push(say(value >= least, `${digits(value)} >= ${least}`));
      if (most !== undefined) lines.push(say(value <= most, `${digits(value)} <= ${most}`));
      if (ratio !== undefined && base !== undefined) {
        const times = value / base[name];
        lines.push(say(times >= ratio, `${digits(times)}x socket.io's >= ${ratio}x`));
      }
      return lines;
    })
  );
}

async function measureOnce(column, scenario, options) {
  const cleanups = [];
  try {
    return await scenario.measure(column, options, cleanups);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

async function measure(scenario, columns, options, failures) {
  const runs = new Map(columns.map((column) => [column, []]));
  for (let round = 0; round < options.repeat; round++) {
    for (const column of columns) {
      if (!runs.has(column)) continue;
      try {
        runs.get(column).push(await measureOnce(column, scenario, options));
      } catch (error) {
        runs.delete(column);
        failures.push(`${column.label} failed: ${error.message}`);
      }
    }
  }
  return Object.fromEntries([...runs].map(([{ label }, measured]) => [label, medians(measured)]));
}

/**
 * Measures scenarios and prints them.
 * @param {Object[]} chosen Of `scenarios`
 * @param {Object} options From ../options.js
 * @return {Promise<Object>} Name to label to medians
 */
async function run(chosen, options) {
  const failures = [];
  const columns = columnsOf(options, failures);
  const { VERSIONS } = packages;
  const beside = Object.entries(VERSIONS).map(([name, version]) => `${name} ${version}`);
  console.log(`\nbeside ${beside.join(', ')}`);
  const measured = {};
  for (const scenario of chosen) {
    const results = await measure(scenario, columns, options, failures);
    measured[scenario.name] = results;
    console.log(`\n${scenario.name}\n${table(scenario, results)}`);
    console.log(verdicts(scenario, results).join('\n'));
  }
  for (const failure of failures) console.log(`  left out: ${failure}`);
  return measured;
}

module.exports = { run, scenarios };
