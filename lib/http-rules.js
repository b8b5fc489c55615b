// Which requests the running Node's HTTP server takes, for those that it never sees.
//
// Owns: the version and the limit of Node's parser, as the native one wants them.
// Used by whoever listens natively. Runs on: js.
// Tests: __test__/differential/http-head.test.js.

'use strict';

const http = require('http');

// Other runtimes have parsers of their own.
const { llhttp = '9.4' } = process.versions;
const DEFAULT_SIZE = 16384;

/** @return {{llhttpMajor: Number, llhttpMinor: Number, maxHeaderSize: Number}} */
function httpRules() {
  const [llhttpMajor, llhttpMinor] = llhttp.split('.').map(Number);
  return { llhttpMajor, llhttpMinor, maxHeaderSize: http.maxHeaderSize || DEFAULT_SIZE };
}

module.exports = httpRules;
