// What is printed: a table for each scenario, verdicts below it, a summary at the end.

'use strict';

const COLUMNS = {
  perSecond: '/s',
  allMicros: 'CPU us',
  mainMicros: 'JS us',
  p50: 'p50 us',
  p99: 'p99 us',
  max: 'max us',
  lateP99: 'late us',
  unanswered: 'unanswered',
  residentEach: 'KiB each'
};
const WIDTH = 12;
const LABEL = 16;

function digits(value) {
  if (value === 0 || value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : value >= 1 ? 2 : 3);
}

function ratio(value) {
  return `${value.toFixed(value < 0.1 ? 3 : 2)}x`;
}

/** A verdict as text. */
function sentence({ text, ratio: reached, aim, more, met }) {
  const aimed = `${more ? '>=' : '<='} ${ratio(aim)}`;
  return `${text} ${ratio(reached)} (aim ${aimed}: ${met ? 'met' : 'MISSED'})`;
}

/** The table of a scenario. */
function table(results) {
  const measured = Object.values(results);
  const shown = Object.keys(COLUMNS).filter((name) =>
    measured.some((result) => result[name] !== undefined)
  );
  // A column that says that all is well says nothing.
  const worth = shown.filter(
    (name) => name !== 'unanswered' || measured.some((result) => result[name] > 0)
  );
  const head = worth.map((name) => COLUMNS[name].padStart(WIDTH)).join('');
  const rows = Object.entries(results).map(([label, result]) => {
    const cells = worth.map((name) => (result[name] === undefined ? '-' : digits(result[name])));
    return `  ${label.padEnd(LABEL)}${cells.map((cell) => cell.padStart(WIDTH)).join('')}`;
  });
  return [`  ${''.padEnd(LABEL)}${head}`, ...rows].join('\n');
}

/** Ratios of a column that has no aims. */
function beside(base, result) {
  return ['perSecond', 'allMicros', 'p99', 'residentEach']
    .filter((name) => base[name] && result[name])
    .map((name) => `${COLUMNS[name].replace(/ us$/, '')} ${ratio(result[name] / base[name])}`)
    .join(', ');
}

/**
 * A scenario's part of the output.
 * @param {String} name
 * @param {Object} results Label to medians
 * @param {Object[]} verdicts
 * @param {String} base The label that the others are compared with
 */
function scenario(name, results, verdicts, base) {
  const lines = ['', name, table(results)];
  for (const [label, result] of Object.entries(results)) {
    const own = verdicts.filter((verdict) => verdict.label === label);
    if (own.length > 0) {
      lines.push(...own.map((verdict) => `  ${label}: ${sentence(verdict)}`));
    } else if (label !== base && results[base] !== undefined) {
      lines.push(`  ${label}: ${beside(results[base], result)}`);
    }
  }
  return lines.join('\n');
}

/** How many aims were met, and which were not. */
function summary(all) {
  const judged = Object.entries(all).flatMap(([name, verdicts]) =>
    verdicts.map((verdict) => ({ name, ...verdict }))
  );
  const missed = judged.filter(({ met }) => !met);
  const lines = missed.map((one) => `  ${one.name} | ${one.label}: ${sentence(one)}`);
  return [`\n${judged.length - missed.length} of ${judged.length} aims met`, ...lines].join('\n');
}

module.exports = { scenario, summary };
