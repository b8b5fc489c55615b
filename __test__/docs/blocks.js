// The code blocks of README.md and docs/.
//
// A block may be named by a comment before it, <!-- example: NAME -->. Called by
// the tests of this folder and by package/installed/documented.installed.js.

'use strict';

const fs = require('fs');
const path = require('path');

const ROOT = path.join(__dirname, '..', '..');

/** README.md and every page in docs/, from the root. */
const PAGES = [
  'README.md',
  ...fs
    .readdirSync(path.join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
];

/**
 * The blocks of a page.
 *
 * @param {String} page
 * @return {{page: String, line: Number, language: String, name: ?String, code: String}[]} `line` is
 *     where the code begins
 */
function blocksOf(page) {
  const lines = fs.readFileSync(path.join(ROOT, page), 'utf8').split('\n');
  const blocks = [];
  let name = null;
  for (let at = 0; at < lines.length; at++) {
    const named = /^<!-- example: ([\w.-]+) -->$/.exec(lines[at]);
    const fence = /^( *)```(\w*)$/.exec(lines[at]);
    if (named) {
      [, name] = named;
    } else if (fence) {
      const [, indent, language] = fence;
      const end = lines.indexOf(`${indent}\`\`\``, at + 1);
      if (end === -1) throw new Error(`${page}:${at + 1}: a block without an end`);
      const code = lines.slice(at + 1, end).map((line) => line.slice(indent.length));
      blocks.push({ page, line: at + 2, language, name, code: `${code.join('\n')}\n` });
      name = null;
      at = end;
    } else if (lines[at] !== '') {
      name = null;
    }
  }
  return blocks;
}

const BLOCKS = PAGES.flatMap(blocksOf);

module.exports = { BLOCKS, PAGES, ROOT };
