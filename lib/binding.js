// The native addon's exports.
//
// Called by bridge/ and whatever needs the codec. Runs on: js, once per module
// registry. How the addon is found: loading/load.js.

'use strict';

const { version } = require('../package.json');
const { loadNative } = require('./loading/load');
const { warnOfMistakes } = require('./loading/variables');

warnOfMistakes();

// Bundles of ES modules have no __dirname.
module.exports = loadNative(typeof __dirname === 'string' ? __dirname : process.cwd(), version);
