// The environment variables of ferrows: their names, values and warnings.
//
// Called by binding.js as the package is loaded. A value that is not understood
// changes nothing; saying so once keeps it from being believed. Runs on: js.
// Tests: __test__/package/variables.test.js.

'use strict';

const { getEnvironmentData, setEnvironmentData } = require('worker_threads');

const oneOf = (...values) => ({
  accepts: (value) => values.includes(value),
  expected: values.map((value) => `"${value}"`).join(' or ')
});

const VARIABLES = {
  FERROWS_IO: oneOf('inline', 'worker', 'auto'),
  FERROWS_IO_THREADS: {
    accepts: (value) => /^\+?0*[1-9]\d*$/.test(value) && Number.isSafeInteger(Number(value)),
    expected: 'a positive integer'
  },
  // Whether the path is right shows when it is loaded.
  FERROWS_NATIVE_PATH: { accepts: () => true, expected: 'a path' },
  FERROWS_TRANSPORT: oneOf('stream')
};

// Names this near to one of ours are taken for a slip. Others with our prefix are the user's own.
const SLIPS = 2;
const WARNED = 'ferrows.warnedAboutVariables';

/** Inserted, removed and replaced characters between two names. */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

/**
 * What is wrong with an environment.
 *
 * @param {Object} env As process.env
 * @return {String[]} A sentence each
 */
function findMistakes(env) {
  const mistakes = [];
  // Names are read in any case on Windows, so slips in case are slips elsewhere only.
  for (const name of Object.keys(env).filter((key) => /^FERROWS_/i.test(key))) {
    const variable = VARIABLES[name];
    if (variable) {
      const value = env[name];
      if (value !== '' && !variable.accepts(value)) {
        mistakes.push(`${name}=${value} is ignored: ${variable.expected} is expected.`);
      }
      continue;
    }
    const meant = Object.keys(VARIABLES).find((known) => distance(known, name) <= SLIPS);
    if (meant) mistakes.push(`${name} is unknown and ignored: ${meant} may be meant.`);
  }
  return mistakes;
}

/** Warns of mistakes, once per process: worker threads inherit the mark. */
function warnOfMistakes() {
  const mistakes = findMistakes(process.env);
  if (mistakes.length === 0 || getEnvironmentData(WARNED)) return;
  setEnvironmentData(WARNED, true);
  for (const mistake of mistakes) {
    process.emitWarning(mistake, { type: 'FerrowsWarning', code: 'FERROWS_VARIABLE' });
  }
}

module.exports = { VARIABLES, findMistakes, warnOfMistakes };
