// The shape of records, as Rust exports it. Runs on: js.

'use strict';

const binding = require('../binding');

/** Names of src/bridge/layout.rs with their numbers. */
module.exports = Object.fromEntries(binding.constants().map(({ name, value }) => [name, value]));
