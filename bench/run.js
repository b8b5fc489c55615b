// npm run bench: measures ferrows beside ws, interleaved, and prints medians.
//
// bench/README.md explains options and scenarios. Runs on Linux: it reads CPU
// time and memory of the servers from /proc.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync, spawnSync } = require('child_process');

const backbone = require('./backbone');
const cpus = require('./cpus');
const load = require('./load');
const measurement = require('./measurement');
const medians = require('./medians');
const report = require('./report');
const scenarios = require('./scenarios');
const verdicts = require('./verdicts');
const { chart } = require('./chart');
const { columns, takesPart } = require('./columns');
const { HELP, parse } = require('./options');
const { helpIfAsked, stop } = require('../scripts/run');

const ROOT = path.join(__dirname, '..');

function build() {
  const args = [path.join('scripts', 'build.js')];
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  if (status !== 0) throw new Error('the addon could not be built');
  load.build();
}

/** What is measured on what. */
function conditionsOf(options) {
  const print = "[process.versions.node, Boolean(require('http').websocketMask)].join()";
  const [node, masks] = execFileSync(options.node, ['-p', print], { encoding: 'utf8' })
    .trim()
    .split(',');
  return {
    node,
    ws: require('ws/package.json').version,
    masking: masks === 'true' ? "Node's websocketMask" : 'bufferutil where installed',
    cpus: cpus.allowed().length,
    repeat: options.repeat,
    seconds: options.seconds,
    warmup: options.warmup
  };
}

function heading({ libraries, bun }, conditions) {
  const others = libraries
    .filter((library) => !['bun', 'ferrows', 'ws'].includes(library))
    .map((library) => `${library} ${require(`${library}/package.json`).version}`);
  if (libraries.includes('bun')) {
    others.push(`Bun ${execFileSync(bun, ['--version'], { encoding: 'utf8' }).trim()}`);
  }
  const { masking, node, repeat, seconds, ws } = conditions;
  return [
    `Node ${node}`,
    `ws ${ws}, which masks with ${masking}`,
    ...others,
    `${conditions.cpus} CPUs, load ${os.loadavg()[0].toFixed(1)}`,
    `medians of ${repeat} x ${seconds} s`
  ].join('; ');
}

/** Measures a scenario in all columns, `repeat` times in turn. */
async function measure(scenario, all, options) {
  const taking = all.filter((column) => takesPart(column, scenario));
  const runs = new Map(taking.map((column) => [column, []]));
  const failures = [];
  for (let round = 0; round < options.repeat; round++) {
    // Each column comes first in turn: what drifts on the machine drifts for all.
    const turned = taking.map((_, index) => taking[(index + round) % taking.length]);
    for (const column of turned) {
      if (!runs.has(column)) continue;
      try {
        runs.get(column).push(await measurement.measure(column, scenario, options));
      } catch (error) {
        runs.delete(column);
        failures.push(`  ${column.label} failed: ${error.message}`);
      }
    }
  }
  const entries = [...runs].map(([{ label }, measured]) => [label, medians(measured)]);
  return { results: Object.fromEntries(entries), failures };
}

/** What the command line chooses; ends the process if it is not understood. */
function readOptions() {
  helpIfAsked(HELP);
  try {
    return parse(process.argv.slice(2), process.env);
  } catch (error) {
    return stop(`${error.message}\n\n${HELP}`);
  }
}

async function main() {
  const options = readOptions();
  const chosen = scenarios.filter(options.chosen);
  // Engines and packages that not every machine has: measured when they are asked for.
  const carried = options.named ? backbone.scenarios.filter(options.chosen) : [];
  if (options.list) {
    const all = options.named ? [...chosen, ...carried] : [...chosen, ...backbone.scenarios];
    console.log(all.map(({ name }) => name).join('\n'));
    return;
  }
  build();
  const conditions = conditionsOf(options);
  console.log(heading(options, conditions));
  const all = columns(options);
  const [{ label: base }] = all;
  const [measured, judged, drawn] = [{}, {}, {}];
  for (const scenario of chosen) {
    if (scenario.oneCpu && cpus.allowed().length < 2) {
      console.log(`\n${scenario.name}\n  left out: the load needs a CPU of its own`);
      continue;
    }
    const { results, failures } = await measure(scenario, all, options);
    measured[scenario.name] = results;
    judged[scenario.name] = verdicts(scenario, results, base);
    if (!scenario.paced) drawn[scenario.name] = results;
    console.log(report.scenario(scenario.name, results, judged[scenario.name], base));
    for (const failure of failures) console.log(failure);
    if (failures.length > 0) process.exitCode = 1;
  }
  if (chosen.length > 0) console.log(report.summary(judged));
  const across = carried.length > 0 ? await backbone.run(carried, options) : undefined;
  if (options.json) {
    const text = JSON.stringify({ conditions, scenarios: measured, backbone: across }, null, 2);
    fs.writeFileSync(options.json, `${text}\n`);
  }
  if (options.svg) fs.writeFileSync(options.svg, chart(drawn));
}

process.on('SIGINT', () => {
  measurement.stop();
  process.exit(130);
});

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
