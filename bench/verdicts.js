// Which aims of a scenario a column of ferrows met.
//
// An aim is a ratio to the first column: at least that much throughput, at most
// that much of anything else.

'use strict';

const AUTO = 'ferrows';
const DRIVERS = ['ferrows/inline', 'ferrows/worker'];
const SHARE = 0.93;

const NAMES = {
  perSecond: 'throughput',
  allMicros: 'CPU',
  p99: 'p99',
  residentEach: 'memory each'
};

const wantsMore = (metric) => metric === 'perSecond';

function verdict(metric, text, ratio, aim) {
  const more = wantsMore(metric);
  return { metric, text, ratio, aim, more, met: more ? ratio >= aim : ratio <= aim };
}

/**
 * How a column stands beside the base, with the aims that it has.
 * @return {Object[]}
 */
function besideBase(scenario, base, result) {
  return Object.entries(scenario.aims)
    .filter(([metric]) => base[metric] !== undefined && result[metric] !== undefined)
    .map(([metric, aim]) => verdict(metric, NAMES[metric], result[metric] / base[metric], aim));
}

/** Whether ferrows is ahead of a library that only some machines have. */
function besideRival(scenario, results, result) {
  const rival = results[scenario.ahead];
  if (rival === undefined) return [];
  const ratio = result.perSecond / rival.perSecond;
  const { ahead, lead = 1 } = scenario;
  return [verdict('perSecond', `throughput beside ${ahead}`, ratio, lead)];
}

/** What `auto` reaches of the better of the two drivers, if all three were measured. */
function besideDrivers(scenario, results) {
  const drivers = DRIVERS.map((label) => results[label]);
  const auto = results[AUTO];
  if (auto === undefined || drivers.includes(undefined)) return [];
  const metric = scenario.share || Object.keys(scenario.aims)[0];
  const values = drivers.map((driver) => driver[metric]);
  const share = wantsMore(metric)
    ? auto[metric] / Math.max(...values)
    : Math.min(...values) / auto[metric];
  const text = `${NAMES[metric]} beside the better driver`;
  return [{ ...verdict('perSecond', text, share, SHARE), metric }];
}

/**
 * All verdicts of a scenario.
 * @param {Object} scenario
 * @param {Object} results Label to medians
 * @param {String} base The label that the others are compared with
 * @return {Object[]} Each with the `label` of its column
 */
function verdicts(scenario, results, base) {
  const labels = Object.keys(results).filter(
    (label) => label !== base && label.startsWith(AUTO) && results[base] !== undefined
  );
  const found = labels.flatMap((label) =>
    [
      ...besideBase(scenario, results[base], results[label]),
      ...besideRival(scenario, results, results[label])
    ].map((one) => ({ label, ...one }))
  );
  return [...found, ...besideDrivers(scenario, results).map((one) => ({ label: AUTO, ...one }))];
}

module.exports = verdicts;
