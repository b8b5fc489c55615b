// Whether what was counted at intervals is flat. Pure functions.
// Called by run.js. Tests: __test__/soak/soak.test.js.

'use strict';

const MIB = 1 << 20;

// A worker, a pool of threads or a resolver that starts late is no leak.
const SPARE = { fds: 8, threads: 8, handles: 2 };
// After garbage collection; the rest is code that gets compiled, and caches.
const MEMORY = { heap: 8 * MIB, external: 32 * MIB };
// Allocators keep what they have fragmented. Whoever has seen little traffic yet has not even begun.
const RSS = {
  checkpoints: 12,
  long: { factor: 1.25, bytes: 32 * MIB },
  short: { factor: 2, bytes: 128 * MIB }
};

/**
 * What is still there although nobody is at work.
 *
 * @param {String} name Of the process
 * @param {Object} counted What `settled()` returned
 * @return {String[]}
 */
function findRemains(name, { remains }) {
  return Object.entries(remains)
    .filter(([, count]) => count !== 0)
    .map(([kind, count]) => `${name}: ${count} ${kind} remain`);
}

/**
 * @param {String} name Of the process
 * @param {Object[]} series What `settled()` returned at each checkpoint
 * @return {String[]} What is not flat
 */
function findGrowth(name, series) {
  if (series.length < 2) return [];
  const found = [];
  const first = series[0];
  const last = series[series.length - 1];
  const inMib = (bytes) => `${Math.round(bytes / MIB)} MiB`;

  for (const kind of ['fds', 'threads']) {
    if (last[kind] > first[kind] + SPARE[kind]) {
      found.push(`${name}: ${kind} grew from ${first[kind]} to ${last[kind]}`);
    }
  }
  for (const [kind, count] of Object.entries(last.handles)) {
    const before = first.handles[kind] || 0;
    if (count > before + SPARE.handles) {
      found.push(`${name}: handles of ${kind} grew from ${before} to ${count}`);
    }
  }
  for (const [kind, spare] of Object.entries(MEMORY)) {
    if (last[kind] > first[kind] + spare) {
      found.push(`${name}: ${kind} grew from ${inMib(first[kind])} to ${inMib(last[kind])}`);
    }
  }
  const third = Math.ceil(series.length / 3);
  const highest = Math.max(...series.slice(0, third).map(({ rss }) => rss));
  const lowest = Math.min(...series.slice(-third).map(({ rss }) => rss));
  const { factor, bytes } = series.length < RSS.checkpoints ? RSS.short : RSS.long;
  if (lowest > highest * factor + bytes) {
    found.push(`${name}: RSS grew from ${inMib(highest)} to ${inMib(lowest)}`);
  }
  return found;
}

module.exports = { findGrowth, findRemains };
