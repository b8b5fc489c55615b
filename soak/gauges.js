// What a process holds: memory, descriptors, threads, handles, objects that should be gone.
//
// Owns: the counting, and the wait until it is quiet. Used by both processes of the
// soak when no connection is left. Runs on: js.

'use strict';

const fs = require('fs');
const v8 = require('v8');
const vm = require('vm');

// Memory that is kept for the next burst is given back within seconds.
const [LEAST, MOST] = [1500, 20000];
const STEP = 100;
// On a machine that hardly lets us run, seconds are short.
const ROUNDS = 100;

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

/** Counts the objects of a kind that the garbage collector has not taken. */
class Leftovers {
  constructor() {
    this.count = 0;
    this._registry = new FinalizationRegistry(() => this.count--);
  }

  add(object) {
    this.count++;
    this._registry.register(object);
  }
}

function entriesOf(folder) {
  return fs.existsSync(folder) ? fs.readdirSync(folder).length : 0;
}

function sample() {
  const { external, heapUsed } = process.memoryUsage();
  const handles = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] || 0) + 1;
  return {
    rss: process.memoryUsage.rss(),
    heap: heapUsed,
    external,
    fds: entriesOf('/proc/self/fd'),
    threads: entriesOf('/proc/self/task'),
    handles
  };
}

/**
 * Counts when the process has come to rest, or says what has not.
 *
 * @param {Function} remains Returns counts by name that fall to 0
 * @return {Promise<Object>} With the lowest `rss` that was seen
 */
async function settled(remains) {
  const began = Date.now();
  let rss = Infinity;
  for (let round = 1; ; round++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, STEP));
    const counts = remains();
    const seen = sample();
    rss = Math.min(rss, seen.rss);
    const isQuiet = Object.values(counts).every((count) => count === 0);
    const passed = Date.now() - began;
    const isOver = isQuiet ? passed >= LEAST : passed >= MOST && round >= ROUNDS;
    if (isOver) return { ...seen, rss, remains: counts };
  }
}

module.exports = { Leftovers, settled };
