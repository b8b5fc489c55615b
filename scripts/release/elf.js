// Reads of a shared object for Linux what decides where it can be loaded.
//
// 64-bit little-endian ELF only, which all our targets are. Called by binary.js.
// Layout: the System V gABI, chapters 4 and 5; DT_FLAGS_1 and version needs as in
// the LSB. Tests: __test__/package/release.test.js.

'use strict';

const MACHINES = { 62: 'x64', 183: 'arm64' };

const SHT_DYNAMIC = 6;
const SHT_VERNEED = 0x6ffffffe;
const DT_NEEDED = 1n;
const DT_FLAGS_1 = 0x6ffffffbn;
const DF_1_NODELETE = 8n;

function sections(bytes) {
  const table = Number(bytes.readBigUInt64LE(40));
  const [size, count] = [bytes.readUInt16LE(58), bytes.readUInt16LE(60)];
  return Array.from({ length: count }, (_, index) => {
    const at = table + index * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      offset: Number(bytes.readBigUInt64LE(at + 24)),
      size: Number(bytes.readBigUInt64LE(at + 32)),
      link: bytes.readUInt32LE(at + 40),
      info: bytes.readUInt32LE(at + 44)
    };
  });
}

function textAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}

/** The names that symbols need versions by, such as GLIBC_2.17. */
function versionNames(bytes, section, strings) {
  const names = [];
  let entry = section.offset;
  for (let left = section.info; left > 0; left--) {
    let need = entry + bytes.readUInt32LE(entry + 8);
    for (let inEntry = bytes.readUInt16LE(entry + 2); inEntry > 0; inEntry--) {
      names.push(textAt(bytes, strings + bytes.readUInt32LE(need + 8)));
      need += bytes.readUInt32LE(need + 12);
    }
    entry += bytes.readUInt32LE(entry + 12);
  }
  return names;
}

function newest(versions) {
  const parts = (version) => version.split('.').map(Number);
  const compare = (a, b) => parts(a)[0] - parts(b)[0] || parts(a)[1] - parts(b)[1];
  return versions.sort(compare).pop() || null;
}

/**
 * @param {Buffer} bytes The whole file
 * @return {{arch: String, needed: String[], glibc: (String|null), nodelete: Boolean}} `glibc` is the
 *     newest version that it asks for
 */
function readElf(bytes) {
  if (bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1) {
    throw new Error('not a 64-bit little-endian ELF file');
  }
  const all = sections(bytes);
  const dynamic = all.find(({ type }) => type === SHT_DYNAMIC);
  const strings = all[dynamic.link].offset;
  const needed = [];
  let nodelete = false;
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
    const [tag, value] = [bytes.readBigInt64LE(at), bytes.readBigUInt64LE(at + 8)];
    if (tag === DT_NEEDED) needed.push(textAt(bytes, strings + Number(value)));
    if (tag === DT_FLAGS_1) nodelete = (value & DF_1_NODELETE) !== 0n;
  }
  const versions = all
    .filter(({ type }) => type === SHT_VERNEED)
    .flatMap((section) => versionNames(bytes, section, strings))
    .filter((name) => name.startsWith('GLIBC_2'))
    .map((name) => name.slice('GLIBC_'.length));
  return { arch: MACHINES[bytes.readUInt16LE(18)], needed, glibc: newest(versions), nodelete };
}

module.exports = { readElf };
