// A number for the current tick of this thread. Runs on: js.

'use strict';

let tick = 0;
let counting = false;

/** @return {Number} The same until the ticks that were queued before are over */
function currentTick() {
  if (!counting) {
    counting = true;
    process.nextTick(next);
  }
  return tick;
}

function next() {
  tick++;
  counting = false;
}

module.exports = { currentTick };
