// Writes THIRD-PARTY-NOTICES.txt: the licences of the crates that are compiled
// into the binaries, on any target. --check compares instead.
//
// Their texts come from the crates' own folders, as Cargo has fetched them. A crate
// without a licence that we accept, or without a text, is an error.
// Tests: __test__/package/release.test.js.

'use strict';

const { execFileSync } = require('child_process');
const { existsSync, readFileSync, readdirSync, writeFileSync } = require('fs');
const path = require('path');

const { ROOT, stop } = require('../run');
const { TARGETS } = require('../../lib/loading/targets');

const FILE = path.join(ROOT, 'THIRD-PARTY-NOTICES.txt');
const PACKAGE = 'ferrows-napi';
const ACCEPTED = [
  'MIT',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BSL-1.0',
  'ISC',
  'Zlib',
  'Unicode-3.0'
];
const LICENCE_FILE = /^(?:licen[cs]e|copying|notice)(?:[._-][\w.-]*)?$/i;

function metadata() {
  const platforms = TARGETS.flatMap(({ triple }) => ['--filter-platform', triple]);
  const args = ['metadata', '--format-version', '1', '--locked', ...platforms];
  return JSON.parse(
    execFileSync('cargo', args, { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28 })
  );
}

/**
 * The crates that end up in the addon: no build scripts, macros or tests. The resolution of
 * `cargo metadata` would have optional crates in it, too, that a feature names without enabling.
 */
function linkedCrates({ packages }) {
  const targets = TARGETS.flatMap(({ triple }) => ['--target', triple]);
  const shape = ['--edges', 'normal,no-proc-macro', '--prefix', 'none', '--format', '{p}'];
  const args = ['tree', '--locked', '--package', PACKAGE, ...targets, ...shape];
  const lines = execFileSync('cargo', args, { cwd: ROOT, encoding: 'utf8' }).split('\n');
  const linked = new Set(lines.map((line) => line.split(' ').slice(0, 2).join(' ')));
  return packages
    .filter(({ name, version, source }) => source !== null && linked.has(`${name} v${version}`))
    .sort((a, b) => (a.name + a.version < b.name + b.version ? -1 : 1));
}

/** Whether an SPDX expression can be met by accepted licences. Exceptions only allow more. */
function isAccepted(expression) {
  const alternatives = expression.replace(/[()]/g, '').split(/ OR |\//);
  return alternatives.some((alternative) =>
    alternative.split(' AND ').every((term) => ACCEPTED.includes(term.split(' WITH ')[0].trim()))
  );
}

function licenceTexts(crate) {
  const folder = path.dirname(crate.manifest_path);
  const names = readdirSync(folder).filter((name) => LICENCE_FILE.test(name));
  // A crate of a workspace may have left its text with the workspace: the authors' line stands in.
  if (names.length === 0) return [`${crate.license}. ${crate.authors.join(', ')}`.trim()];
  // Of a choice with MIT in it, MIT is taken.
  const mit = names.filter((name) => /mit/i.test(name));
  return (mit.length > 0 ? mit : names.sort()).map((name) => {
    const lines = readFileSync(path.join(folder, name), 'utf8').replace(/\r\n/g, '\n').split('\n');
    return lines
      .map((line) => line.trimEnd())
      .join('\n')
      .trim();
  });
}

function compose(crates) {
  const byText = new Map();
  for (const crate of crates) {
    const { license, name, version } = crate;
    if (!license || !isAccepted(license)) stop(`${name} ${version}: licence ${license}`);
    for (const text of licenceTexts(crate)) {
      byText.set(text, [...(byText.get(text) || []), `${name} ${version} (${license})`]);
    }
  }
  const rule = '-'.repeat(80);
  const sections = [...byText].map(([text, names]) => `${names.join('\n')}\n\n${text}`);
  const head =
    "The binaries of ferrows contain Rust's standard library (MIT OR Apache-2.0, The Rust Project\n" +
    'contributors) and these crates:';
  return `${[head, ...sections].join(`\n\n${rule}\n`)}\n`;
}

const text = compose(linkedCrates(metadata()));
if (!process.argv.includes('--check')) {
  writeFileSync(FILE, text);
} else if (!existsSync(FILE) || readFileSync(FILE, 'utf8') !== text) {
  stop('THIRD-PARTY-NOTICES.txt is stale: run "node scripts/release/notices.js".');
}
