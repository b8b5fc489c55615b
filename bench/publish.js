// npm run bench:publish: puts the results of npm run bench into the README, as a table and as a
// chart, and those of npm run bench:attackers into SECURITY.md. published.json and
// attacks/published.json are what they are made of; nothing is typed by hand.
//
// Tests: __test__/docs/benchmarks.test.js and attacks.test.js, which compare them.

'use strict';

const fs = require('fs');
const path = require('path');

const scenarios = require('./scenarios');
const attacks = require('./attacks/scenarios');
const { chart } = require('./chart');
const { section } = require('./section');
const { section: sectionOfAttacks } = require('./attacks/section');
const { helpIfAsked, stop } = require('../scripts/run');

const ROOT = path.join(__dirname, '..');
const PUBLISHED = path.join('bench', 'published.json');
const PUBLISHED_ATTACKS = path.join('bench', 'attacks', 'published.json');
const CHART = path.join('docs', 'benchmarks.svg');
const MARKED = /(?<=^<!-- bench:start -->\n\n)[^]*?(?=\n<!-- bench:end -->$)/m;

const HELP = `Usage: npm run bench:publish -- FILE...

Makes the table and the chart of the README of what npm run bench -- --json FILE wrote, and the table
of SECURITY.md of what npm run bench:attackers -- --json FILE did. Several files are joined: parts of
one comparison (--only), on the same machine with the same options.`;

/**
 * Joins parts of one comparison, in the order of the scenarios.
 *
 * @param {Object[]} parts What `npm run bench -- --json` writes, or `npm run bench:attackers`
 * @param {String} [key] Where the scenarios are in it
 * @param {Object[]} [known] All that there are
 * @return {Object} The same
 * @throws {Error} If they were not measured alike, or there is nothing to compare
 */
function join(parts, key = 'scenarios', known = scenarios) {
  const [{ conditions }] = parts;
  const other = parts.find((part) => !isSame(part.conditions, conditions));
  if (other !== undefined) {
    const both = [conditions, other.conditions].map((each) => JSON.stringify(each));
    throw new Error(`Not measured alike: ${both.join(' and ')}`);
  }
  const measured = Object.assign({}, ...parts.map((part) => part[key]));
  const chosen = known.filter(({ name }) => measured[name] !== undefined);
  const lacking = chosen.find(({ name }) => !measured[name].ws || !measured[name].ferrows);
  if (lacking !== undefined) throw new Error(`"${lacking.name}" lacks ws or ferrows`);
  const unknown = Object.keys(measured).find((name) => !chosen.some((one) => one.name === name));
  if (unknown !== undefined) throw new Error(`There is no scenario "${unknown}"`);
  const entries = chosen.map(({ name }) => [name, measured[name]]);
  return { conditions, [key]: Object.fromEntries(entries) };
}

function isSame(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** What the chart shows: not those whose rate is given. */
function drawn(results) {
  const paced = new Set(scenarios.filter((one) => one.paced).map(({ name }) => name));
  return Object.fromEntries(Object.entries(results).filter(([name]) => !paced.has(name)));
}

/** A document with something else where results belong. */
function filled(document, name, text) {
  if (!MARKED.test(document)) throw new Error(`${name} does not say where the table belongs`);
  return document.replace(MARKED, () => text);
}

/**
 * @param {Object} results From `join()`
 * @param {String} readme
 * @return {{chart: String, readme: String}} What is published
 */
function publication(results, readme) {
  return {
    chart: chart(drawn(results.scenarios)),
    readme: filled(readme, 'The README', section(results))
  };
}

/**
 * @param {Object} results From `join()`
 * @param {String} document SECURITY.md
 * @return {String} The same, with them
 */
function publicationOfAttacks(results, document) {
  return filled(document, 'SECURITY.md', sectionOfAttacks(results));
}

/**
 * @param {String[]} files
 * @param {String} root Where README.md is
 */
function publish(files, root) {
  const at = (...names) => path.join(root, ...names);
  const read = (file) => fs.readFileSync(file, 'utf8');
  const write = (file, value) => fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
  const all = files.map((file) => JSON.parse(read(file)));
  const ofAttacks = all.filter((part) => part.attacks !== undefined);
  const others = all.filter((part) => part.attacks === undefined);
  if (others.length > 0) {
    const results = join(others);
    const made = publication(results, read(at('README.md')));
    write(at(PUBLISHED), results);
    fs.writeFileSync(at(CHART), made.chart);
    fs.writeFileSync(at('README.md'), made.readme);
  }
  if (ofAttacks.length > 0) {
    const results = join(ofAttacks, 'attacks', attacks);
    const made = publicationOfAttacks(results, read(at('SECURITY.md')));
    write(at(PUBLISHED_ATTACKS), results);
    fs.writeFileSync(at('SECURITY.md'), made);
  }
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

module.exports = {
  CHART,
  PUBLISHED,
  PUBLISHED_ATTACKS,
  join,
  publication,
  publicationOfAttacks,
  publish
};
