// The processors that this process may use, and commands that use one of them.

'use strict';

const fs = require('fs');

/** @return {Number[]} */
function allowed() {
  const [, list] = /Cpus_allowed_list:\s*(\S+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'));
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** A command and its arguments, bound to a processor if one is given. */
function bind(cpu, command, args) {
  return cpu === undefined ? [command, args] : ['taskset', ['-c', cpu, command, ...args]];
}

module.exports = { allowed, bind };
