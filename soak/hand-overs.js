// Reactors that change hands all the time, in phases: between them the policy decides.
// Used by both processes of the soak.

'use strict';

// A storm, then rest.
const PHASE = 2000;
const STEP = 2;

/**
 * @param {Object} options Of the soak
 * @return {Function} Stops it, and tells how often they changed hands
 */
function begin({ io, library, transport }) {
  if (library !== 'ferrows' || transport !== 'native' || io !== 'auto') return () => 0;
  const bridge = require('../lib/bridge');
  const began = Date.now();
  let changes = 0;
  const timer = setInterval(() => {
    if (Math.floor((Date.now() - began) / PHASE) % 2 === 1) return;
    if (bridge.handTo(changes % 2 === 0 ? 'worker' : 'inline')) changes++;
  }, STEP);
  timer.unref();
  return () => {
    clearInterval(timer);
    return changes;
  };
}

module.exports = { begin };
