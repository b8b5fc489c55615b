// The part of the README that the results of a comparison fill: what was measured on what, the
// chart, the table. Called by publish.js. Tests: __test__/docs/benchmarks.test.js.

'use strict';

const table = require('./table');

const CLIENTS = '5000 clients in one process';

/** 1234567 as 1 234 567. */
const grouped = (value) =>
  Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ' ');

function digits(value) {
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

const kibibytes = (value) => `${value.toFixed(1)} KiB`;

function pair(name, write, unit, { ws, ferrows }) {
  if (!ws[name] || !ferrows[name]) return '';
  return `${write(ws[name])} → ${write(ferrows[name])} ${unit}`;
}

function row([name, results]) {
  const { ws, ferrows } = results;
  const metric = ws.perSecond ? 'perSecond' : 'residentEach';
  const write = (value) =>
    metric === 'perSecond' ? `${grouped(value)} /s` : `${kibibytes(value)} each`;
  return [
    name,
    write(ws[metric]),
    write(ferrows[metric]),
    `${(ferrows[metric] / ws[metric]).toFixed(2)}x`,
    pair('allMicros', digits, 'µs', results),
    pair('p99', grouped, 'µs', results)
  ];
}

/**
 * @param {{conditions: Object, scenarios: Object}} results
 * @return {String} Markdown
 */
function section({ conditions, scenarios }) {
  const { cpus, masking, node, repeat, seconds, warmup, ws } = conditions;
  const runs =
    repeat === 1
      ? `one run of ${seconds} s`
      : `medians of ${repeat} interleaved runs of ${seconds} s`;
  const head = [
    'scenario',
    `ws ${ws}`,
    'ferrows',
    'ratio',
    'CPU per message, whole process',
    'p99'
  ];
  const clients = scenarios[CLIENTS];
  const memory =
    clients === undefined
      ? []
      : [
          `A client takes ${kibibytes(clients.ferrows.residentEach)}, with ws ` +
            `${kibibytes(clients.ws.residentEach)}.`
        ];
  return [
    'Echo of 64-byte messages unless said otherwise, over loopback, `FERROWS_IO=auto`, with Node ' +
      `${node} and ws ${ws}, which masks with ${masking}.`,
    `${cpus} CPUs, which the load generator shares; ${runs} ` +
      `(\`npm run bench -- --repeat ${repeat} --seconds ${seconds} --warmup ${warmup}\`).`,
    ...memory,
    '',
    '![Messages a second of ferrows as a multiple of those of ws, by scenario](docs/benchmarks.svg)',
    '',
    table([head, ...Object.entries(scenarios).map(row)]),
    ''
  ].join('\n');
}

module.exports = { section };
