// What a finished binary must be, whatever machine it was built on.
//
// Called by prebuild.js for what it has just built and by prepack.js for what is
// about to be published. Tests: __test__/package/release.test.js.

'use strict';

const { readElf } = require('./elf');

const MACH_O_ARCHES = { 0x01000007: 'x64', 0x0100000c: 'arm64' };
const PE_ARCHES = { 0x8664: 'x64', 0xaa64: 'arm64' };

// Folders that only a build machine has.
const BUILD_PATHS =
  /(?:\/(?:home|root|Users|github|tmp|builds)\/|[A-Z]:\\(?:a|Users)\\)[\w.\\/-]{0,80}/;

// Nothing else may be asked of a system: it is what Node itself needs there.
const LIBRARIES = {
  gnu: /^(?:lib(?:c|m|dl|rt|pthread)\.so\.\d|libgcc_s\.so\.1|ld-linux-[\w-]+\.so\.\d)$/,
  musl: /^(?:libc\.so|libc\.musl-\w+\.so\.1|libgcc_s\.so\.1)$/
};

function archOf(bytes, platform) {
  if (platform === 'darwin') {
    return bytes.readUInt32LE(0) === 0xfeedfacf ? MACH_O_ARCHES[bytes.readUInt32LE(4)] : null;
  }
  if (bytes.toString('latin1', 0, 2) !== 'MZ') return null;
  return PE_ARCHES[bytes.readUInt16LE(bytes.readUInt32LE(0x3c) + 4)];
}

function isNewer(version, limit) {
  const [a, b] = [version, limit].map((text) => text.split('.').map(Number));
  return a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
}

function faultsOfElf(bytes, target, arch, libc) {
  let elf;
  try {
    elf = readElf(bytes);
  } catch (error) {
    return [`is damaged or no ELF file: ${error.message}`];
  }
  const faults = [];
  if (elf.arch !== arch) faults.push(`is for ${elf.arch}`);
  if (!elf.nodelete) faults.push('can be unloaded (-z nodelete is missing)');
  const floor = libc === 'gnu' ? target.needs.replace('glibc ', '') : null;
  if (elf.glibc !== null && (floor === null || isNewer(elf.glibc, floor))) {
    faults.push(`needs glibc ${elf.glibc}`);
  }
  const foreign = elf.needed.filter((library) => !LIBRARIES[libc].test(library));
  if (foreign.length > 0) faults.push(`needs ${foreign.join(', ')}`);
  return faults;
}

/**
 * What is wrong with a binary.
 *
 * @param {Buffer} bytes
 * @param {Object} target One of lib/loading/targets.js
 * @param {String} version Of the package
 * @param {String} sources The digest of the sources
 * @return {String[]} Each fits behind the name of the file
 */
function faultsOf(bytes, target, version, sources) {
  const [platform, arch, libc] = target.name.split('-');
  const faults = [];
  if (platform === 'linux') faults.push(...faultsOfElf(bytes, target, arch, libc));
  else if (archOf(bytes, platform) !== arch) faults.push(`is no binary for ${target.name}`);

  const text = bytes.toString('latin1');
  const identity = /ferrows\/(\d+\.\d+\.\d+[\w.-]*)\/(\w+)\//.exec(text);
  if (identity === null) faults.push('does not say what it was built from');
  else if (identity[1] !== version) faults.push(`is of version ${identity[1]}`);
  else if (identity[2] !== sources) faults.push('is stale: it was built from other sources');

  const buildPath = BUILD_PATHS.exec(text);
  if (buildPath !== null) faults.push(`names a folder of its build machine: ${buildPath[0]}`);
  return faults;
}

module.exports = { faultsOf };
