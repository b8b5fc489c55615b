// Builds binaries for publishing into lib/native: `node scripts/release/prebuild.js TARGET...`,
// with names of lib/loading/targets.js. Debug information goes to target/debug-info.
//
// Those for Linux are linked by zig (cargo-zigbuild), which knows old versions of
// glibc, and musl. --build-std builds Rust's library, too, for targets that the
// toolchain has no library of; it needs the component rust-src.
// A binary with a fault that binary.js knows is not left behind.

'use strict';

const { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } = require('fs');
const { execFileSync, spawnSync } = require('child_process');
const os = require('os');
const path = require('path');

const { ROOT, libraryName, stop } = require('../run');
const { TARGETS, fileName } = require('../../lib/loading/targets');
const { version } = require('../../package.json');
const { digestOfSources } = require('./sources');
const { faultsOf } = require('./binary');

const TARGET_FOLDER = path.resolve(ROOT, process.env.CARGO_TARGET_DIR || 'target');

const sysroot = execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim();
const cargoHome = process.env.CARGO_HOME || path.join(os.homedir(), '.cargo');

/** Flags of the compiler. Paths of this machine do not get into the binary. */
function rustFlags(platform, libc) {
  const renamed = [
    [cargoHome, '/cargo'],
    [path.join(sysroot, 'lib', 'rustlib', 'src', 'rust'), '/rust'],
    [TARGET_FOLDER, '/target'],
    [ROOT, '/ferrows']
  ];
  const flags = renamed.map(([from, to]) => `--remap-path-prefix=${from}=${to}`);
  if (libc === 'musl') flags.push('-Ctarget-feature=-crt-static');
  if (platform === 'win32') flags.push('-Ctarget-feature=+crt-static');
  return flags;
}

function compile(target, buildStd) {
  const [platform, , libc] = target.name.split('-');
  const command = platform === 'linux' ? 'zigbuild' : 'build';
  const floor = libc === 'gnu' ? target.needs.replace('glibc ', '.') : '';
  const args = [command, '--release', '--locked', '-p', 'ferrows-napi'];
  args.push('--target', target.triple + floor);
  const variables = {
    CARGO_ENCODED_RUSTFLAGS: rustFlags(platform, libc).join('\x1f'),
    FERROWS_SOURCES: digestOfSources(ROOT)
  };
  if (platform === 'darwin') variables.CARGO_PROFILE_RELEASE_SPLIT_DEBUGINFO = 'packed';
  if (buildStd) {
    args.push('-Zbuild-std=std,panic_unwind');
    variables.RUSTC_BOOTSTRAP = '1';
  }
  const { error, status } = spawnSync('cargo', args, {
    cwd: ROOT,
    env: { ...process.env, ...variables },
    stdio: 'inherit'
  });
  if (error || status !== 0) stop(`${target.name}: cargo ${command} failed.`);
  return path.join(TARGET_FOLDER, target.triple, 'release', libraryName(platform));
}

function objcopy(...args) {
  const host = /host: (\S+)/.exec(execFileSync('rustc', ['-vV'], { encoding: 'utf8' }))[1];
  // Rust's own, which knows every architecture. It does not find its library by itself.
  execFileSync(path.join(sysroot, 'lib', 'rustlib', host, 'bin', 'rust-objcopy'), args, {
    env: { ...process.env, LD_LIBRARY_PATH: path.join(sysroot, 'lib') }
  });
}

/** Takes the debug information out of a library. */
function strip(platform, library, stripped, debug) {
  if (platform === 'win32') {
    copyFileSync(library, stripped);
    copyFileSync(library.replace(/\.dll$/, '.pdb'), `${debug}.pdb`);
  } else if (platform === 'darwin') {
    execFileSync('strip', ['-x', '-o', stripped, library]);
    // strip has invalidated the signature, without which arm64 loads nothing.
    execFileSync('codesign', ['--force', '--sign', '-', stripped]);
    execFileSync('ditto', [`${library}.dSYM`, `${debug}.dSYM`]);
  } else {
    objcopy('--only-keep-debug', library, `${debug}.debug`);
    objcopy('--strip-all', `--add-gnu-debuglink=${debug}.debug`, library, stripped);
  }
}

function prebuild(target, buildStd) {
  const [platform] = target.name.split('-');
  const library = compile(target, buildStd);
  const output = path.join(ROOT, 'lib', 'native', fileName(target.name));
  const unchecked = `${output}.unchecked`;
  const debugFolder = path.join(TARGET_FOLDER, 'debug-info');
  mkdirSync(path.dirname(output), { recursive: true });
  mkdirSync(debugFolder, { recursive: true });
  strip(platform, library, unchecked, path.join(debugFolder, fileName(target.name)));
  const faults = faultsOf(readFileSync(unchecked), target, version, digestOfSources(ROOT));
  if (faults.length > 0) {
    rmSync(unchecked);
    stop(`${fileName(target.name)} ${faults.join('\nand ')}`);
  }
  // A new file: processes that have the old one loaded keep it.
  renameSync(unchecked, output);
  console.log(`${fileName(target.name)}: ${statSync(output).size} bytes`);
}

function main() {
  const names = process.argv.slice(2).filter((argument) => argument !== '--build-std');
  const chosen = names.map((name) => TARGETS.find((target) => target.name === name));
  if (names.length === 0 || chosen.includes(undefined)) {
    const known = TARGETS.map(({ name }) => name).join(' ');
    stop(`Usage: node scripts/release/prebuild.js [--build-std] TARGET...\nTargets: ${known}`);
  }
  for (const target of chosen) prebuild(target, process.argv.includes('--build-std'));
}

main();
