// A table in Markdown. Used by section.js and attacks/section.js.

'use strict';

/**
 * Its columns are aligned, as prettier has them.
 *
 * @param {String[][]} rows The first one has the names of the columns
 * @return {String}
 */
function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((cells) => cells[column].length)));
  const line = (cells, pad) => `| ${cells.map((cell, at) => pad(cell, widths[at])).join(' | ')} |`;
  const [head, ...body] = rows.map((cells) => line(cells, (cell, width) => cell.padEnd(width)));
  const rule = line(
    widths.map(() => ''),
    (_, width) => '-'.repeat(width)
  );
  return [head, rule, ...body].join('\n');
}

module.exports = table;
