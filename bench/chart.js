// Draws throughput relative to ws as an SVG that reads well on light and dark pages.

'use strict';

const WIDTH = 720;
const ROW = 30;
const LEFT = 260;
const RIGHT = 70;

/**
 * @param {Object} all Scenario name to library to medians
 * @return {String} SVG
 */
module.exports = function chart(all) {
  const rows = Object.entries(all)
    .filter(([, { ws, ferrows }]) => ws && ferrows && ws.perSecond)
    .map(([name, { ws, ferrows }]) => ({ name, ratio: ferrows.perSecond / ws.perSecond }));
  const top = Math.max(...rows.map(({ ratio }) => ratio), 1);
  const scale = (WIDTH - LEFT - RIGHT) / top;
  const height = rows.length * ROW + 50;
  const bars = rows.map(({ name, ratio }, index) => {
    const y = 36 + index * ROW;
    return (
      `<text x="${LEFT - 10}" y="${y + 15}" text-anchor="end">${name}</text>` +
      `<rect x="${LEFT}" y="${y}" width="${(ratio * scale).toFixed(1)}" height="20" rx="3"/>` +
      `<text x="${(LEFT + ratio * scale + 6).toFixed(1)}" y="${y + 15}">${ratio.toFixed(1)}x</text>`
    );
  });
  const one = (LEFT + scale).toFixed(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img">
<title>Throughput of ferrows relative to ws</title>
<style>text{font:13px system-ui,sans-serif;fill:#57606a}rect{fill:#c2551f}line{stroke:#8b949e}
@media (prefers-color-scheme:dark){text{fill:#adb5c0}rect{fill:#f08a5a}}</style>
<text x="${LEFT}" y="18">throughput, ws = 1x</text>
${bars.join('\n')}
<line x1="${one}" x2="${one}" y1="28" y2="${height - 12}" stroke-dasharray="3 3"/>
</svg>
`;
};
