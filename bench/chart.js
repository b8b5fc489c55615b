// Draws throughput relative to ws as an SVG that can be read on light and on dark pages: it has a
// background of its own. Called by run.js and publish.js. Tests: __test__/docs/benchmarks.test.js.

'use strict';

const WIDTH = 920;
const ROW = 26;
const BAR = 16;
const LEFT = 430;
const RIGHT = 70;
const TOP = 64;
const BOTTOM = 14;

/** Of the page, its text, the lines and the bars. */
const COLOURS = {
  light: { page: '#ffffff', text: '#1f2328', line: '#6e7781', bar: '#b3470f' },
  dark: { page: '#0d1117', text: '#e6edf3', line: '#8b949e', bar: '#f08a5a' }
};

const escaped = (text) => text.replace(/[<>&]/g, (character) => `&#${character.codePointAt(0)};`);

const style = ({ page, text, line, bar }) =>
  `text{fill:${text}}.page{fill:${page}}.bar{fill:${bar}}line{stroke:${line}}`;

/** Where the axis has marks: some four to eight, and always where ws is. */
function marks(top) {
  const step = [0.25, 0.5, 1, 2, 5, 10, 20, 50, 100].find((each) => top / each <= 8) || 200;
  const all = Array.from({ length: Math.floor(top / step) }, (_, index) => (index + 1) * step);
  return [...new Set([1, ...all])];
}

/**
 * @param {Object} all Scenario name to library to medians
 * @return {String} SVG
 */
function chart(all) {
  const rows = Object.entries(all)
    .filter(([, { ws, ferrows }]) => ws && ferrows && ws.perSecond)
    .map(([name, { ws, ferrows }]) => ({ name, ratio: ferrows.perSecond / ws.perSecond }));
  const top = Math.max(...rows.map(({ ratio }) => ratio), 1);
  const at = (ratio) => (LEFT + (ratio * (WIDTH - LEFT - RIGHT)) / top).toFixed(1);
  const end = TOP + rows.length * ROW;
  const height = end + BOTTOM;
  const axis = marks(top).map(
    (mark) =>
      `<line class="${mark === 1 ? 'one' : 'mark'}" x1="${at(mark)}" x2="${at(mark)}" y1="${TOP - 6}" y2="${end}"/>` +
      `<text x="${at(mark)}" y="${TOP - 12}" text-anchor="middle">${mark}×</text>`
  );
  const bars = rows.map(({ name, ratio }, index) => {
    const y = TOP + index * ROW + (ROW - BAR) / 2;
    const width = (at(ratio) - LEFT).toFixed(1);
    return (
      `<text x="${LEFT - 10}" y="${y + 12}" text-anchor="end">${escaped(name)}</text>` +
      `<rect class="bar" x="${LEFT}" y="${y}" width="${width}" height="${BAR}" rx="3"/>` +
      `<text x="${Number(at(ratio)) + 6}" y="${y + 12}">${ratio.toFixed(2)}×</text>`
    );
  });
  const summary = rows.map(({ name, ratio }) => `${name}: ${ratio.toFixed(2)}`).join('; ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>Messages or connections a second, ferrows beside ws</title>
<desc>As a multiple of what ws does. ${escaped(summary)}</desc>
<style>text{font:13px system-ui,sans-serif}.mark{stroke-opacity:.35}.one{stroke-width:2}
${style(COLOURS.light)}
@media (prefers-color-scheme:dark){${style(COLOURS.dark)}}</style>
<rect class="page" width="${WIDTH}" height="${height}" rx="6"/>
<text x="${LEFT}" y="24">per second, as a multiple of what ws does (1×)</text>
${axis.join('\n')}
${bars.join('\n')}
</svg>
`;
}

module.exports = { COLOURS, chart };
