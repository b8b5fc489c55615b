// Which C library this process runs on.
//
// Called by load.js, on Linux only. Runs on: js, once per module registry.
// Must not ask process.report for its network part: that looks up the name of
// every open socket's peer. Tests: __test__/package/loading.test.js.

'use strict';

const fs = require('fs');

const { interpreterOf } = require('./elf');

// Each returns 'gnu', 'musl' or null; the first that knows is believed.
const SOURCES = [
  function fromExecutable(process) {
    const interpreter = interpreterOf(process.execPath) || '';
    if (/\/ld-musl-[^/]*$/.test(interpreter)) return 'musl';
    return /\/ld-linux-[^/]*$|\/ld64\.so/.test(interpreter) ? 'gnu' : null;
  },
  function fromReport({ report }) {
    // Versions of Node that cannot leave the network out are not asked.
    if (!report || !('excludeNetwork' in report)) return null;
    const before = report.excludeNetwork;
    report.excludeNetwork = true;
    try {
      const { header, sharedObjects = [] } = report.getReport();
      if (header.glibcVersionRuntime) return 'gnu';
      return sharedObjects.some((file) => /\/ld-musl-|\/libc\.musl-/.test(file)) ? 'musl' : null;
    } finally {
      report.excludeNetwork = before;
    }
  },
  function fromLdd() {
    // A shell script that says whose it is, musl's a link to its loader.
    if (/\/ld-musl-/.test(fs.realpathSync('/usr/bin/ldd'))) return 'musl';
    const text = fs.readFileSync('/usr/bin/ldd', 'latin1');
    if (text.includes('musl')) return 'musl';
    return text.includes('GLIBC') || text.includes('GNU C Library') ? 'gnu' : null;
  }
];

/**
 * @param {Object} process Node's, or what a test puts in its place
 * @return {String} 'gnu' or 'musl'; 'gnu' if nothing tells
 */
function detectLibc(process) {
  for (const source of SOURCES) {
    try {
      const libc = source(process);
      if (libc !== null) return libc;
    } catch {
      // Unreadable: the next one may know.
    }
  }
  return 'gnu';
}

module.exports = { detectLibc };
