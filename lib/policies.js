// What may become of a message that a peer reads too slowly for: names, and the numbers that
// Rust has for them. Runs on: js. Tests: __test__/operations/backpressure.test.js.

'use strict';

const { layout } = require('./bridge');

const policies = {
  buffer: layout.POLICY_BUFFER,
  'drop-newest': layout.POLICY_DROP_NEWEST,
  'drop-oldest': layout.POLICY_DROP_OLDEST,
  latest: layout.POLICY_LATEST,
  close: layout.POLICY_CLOSE
};

const NO_RULE = { limit: 0, code: policies.buffer };

/**
 * How much of a topic may wait for a peer, as Rust has it.
 *
 * @param {?{limit: Number, policy: String}} rule
 * @return {{limit: Number, code: Number}} 0 is no limit
 */
function numbersOf(rule) {
  return rule === null ? NO_RULE : { limit: rule.limit, code: policies[rule.policy] };
}

module.exports = { numbersOf, policies };
