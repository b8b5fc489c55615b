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

module.exports = { policies };
