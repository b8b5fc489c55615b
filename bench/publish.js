// npm run bench:publish: puts the results of npm run bench into the README, as a table and as a
// chart. bench/published.json is what they are made of; nothing is typed by hand.
//
// Tests: __test__/docs/benchmarks.test.js, which compares the three.

'use strict';

const fs = require('fs');
const path = require('path');

const scenarios = require('./scenarios');
const { chart } = require('./chart');
const { section } = require('./section');
const { helpIfAsked, stop } = require('../scripts/run');

const ROOT = path.join(__dirname, '..');
const PUBLISHED = path.join('bench', 'published.json');
const CHART = path.join('docs', 'benchmarks.svg');
const MARKED = /(?<=^<!-- bench:start -->\n\n)[^]*?(?=\n<!-- bench:end -->$)/m;

const HELP = `Usage: npm run bench:publish -- FILE...

Makes the table and the chart of the README of what npm run bench -- --json FILE wrote. Several
files are joined: parts of one comparison (--only), on the same machine with the same options.`;

/**
 * Joins parts of one comparison, in the order of the scenarios.
 *
 * @param {Object[]} parts What `npm run bench -- --json` writes
 * @return {Object} The same
 * @throws {Error} If they were not measured alike, or there is nothing to compare
 */
function join(parts) {
  const [{ conditions }] = parts;
  const other = parts.find((part) => !isSame(part.conditions, conditions));
  if (other !== undefined) {
    const both = [conditions, other.conditions].map((each) => JSON.stringify(each));
    throw new Error(`Not measured alike: ${both.join(' and ')}`);
  }
  const measured = Object.assign({}, ...parts.map((part) => part.scenarios));
  const chosen = scenarios.filter(({ name }) => measured[name] !== undefined);
  const lacking = chosen.find(({ name }) => !measured[name].ws || !measured[name].ferrows);
  if (lacking !== undefined) throw new Error(`"${lacking.name}" lacks ws or ferrows`);
  const unknown = Object.keys(measured).find((name) => !chosen.some((one) => one.name === name));
  if (unknown !== undefined) throw new Error(`There is no scenario "${unknown}"`);
  const entries = chosen.map(({ name }) => [name, measured[name]]);
  return { conditions, scenarios: Object.fromEntries(entries) };
}

function isSame(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What the chart shows: not those whose rate is given. */
function drawn(results) {
  const paced = new Set(scenarios.filter((one) => one.paced).map(({ name }) => name));
  return Object.fromEntries(Object.entries(results).filter(([name]) => !paced.has(name)));
}

/**
 * @param {Object} results From `join()`
 * @param {String} readme
 * @return {{chart: String, readme: String}} What is published
 */
function publication(results, readme) {
  if (!MARKED.test(readme)) throw new Error('The README does not say where the table belongs');
  return {
    chart: chart(drawn(results.scenarios)),
    readme: readme.replace(MARKED, () => section(results))
  };
}

/**
 * @param {String[]} files
 * @param {String} root Where README.md is
 */
function publish(files, root) {
  const results = join(files.map((file) => JSON.parse(fs.readFileSync(file, 'utf8'))));
  const readme = path.join(root, 'README.md');
  const made = publication(results, fs.readFileSync(readme, 'utf8'));
  fs.writeFileSync(path.join(root, PUBLISHED), `${JSON.stringify(results, null, 2)}\n`);
  fs.writeFileSync(path.join(root, CHART), made.chart);
  fs.writeFileSync(readme, made.readme);
}

function main() {
  helpIfAsked(HELP);
  const files = process.argv.slice(2);
  const option = files.find((file) => file.startsWith('-'));
  if (option !== undefined) stop(`Unknown option ${option}.\n\n${HELP}`);
  if (files.length === 0) stop(`A file is needed.\n\n${HELP}`);
  try {
    publish(files, ROOT);
  } catch (error) {
    stop(error.message);
  }
}

if (require.main === module) main();

module.exports = { CHART, PUBLISHED, join, publication, publish };
