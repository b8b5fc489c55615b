// Reads the head of executables and shared objects for Linux.
//
// Called by libc.js and load.js: a few dozen bytes of a file, never all of it.
// Files of other kinds are answered with null and false. Runs on: js.
// Tests: __test__/package/loading.test.js.

'use strict';

const fs = require('fs');

const HEAD_BYTES = 4096;
const PT_INTERP = 3;

/** The first bytes of a file and its size; null if it is no 64-bit little-endian ELF. */
function readHead(file) {
  const descriptor = fs.openSync(file, 'r');
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const length = fs.readSync(descriptor, head, 0, HEAD_BYTES, 0);
    const isElf = length >= 64 && head.readUInt32BE(0) === 0x7f454c46;
    if (!isElf || head[4] !== 2 || head[5] !== 1) return null;
    return { head: head.subarray(0, length), size: fs.fstatSync(descriptor).size };
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * The dynamic loader that an executable names, null if it names none.
 *
 * @param {String} file
 * @return {(String|null)}
 */
function interpreterOf(file) {
  const elf = readHead(file);
  if (elf === null) return null;
  const { head } = elf;
  const table = Number(head.readBigUInt64LE(32));
  const [size, count] = [head.readUInt16LE(54), head.readUInt16LE(56)];
  for (let at = table; at < table + size * count && at + 40 <= head.length; at += size) {
    if (head.readUInt32LE(at) !== PT_INTERP) continue;
    const start = Number(head.readBigUInt64LE(at + 8));
    const text = head.toString('latin1', start, start + Number(head.readBigUInt64LE(at + 32)));
    return text.replace(/\0.*$/s, '');
  }
  return null;
}

/**
 * Whether the end of a file is missing, as after an interrupted download: the table of sections,
 * which linkers and strip put last, is not all there. Mapping such a file ends the process with
 * SIGBUS instead of an error.
 *
 * @param {String} file
 * @return {Boolean}
 */
function isCutOff(file) {
  const elf = readHead(file);
  if (elf === null) return false;
  const { head, size } = elf;
  return Number(head.readBigUInt64LE(40)) + head.readUInt16LE(58) * head.readUInt16LE(60) > size;
}

module.exports = { interpreterOf, isCutOff };
