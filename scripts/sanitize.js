// npm run sanitize: the tests in Rust under AddressSanitizer and ThreadSanitizer. What each
// covers: CONTRIBUTING.md. Linux on x86-64 or arm64; with ThreadSanitizer Debian, unless the
// toolchain has the sources of its standard library.

'use strict';

const { copyFileSync, existsSync, mkdirSync, readdirSync } = require('fs');
const { execFileSync } = require('child_process');
const os = require('os');
const path = require('path');

const { helpIfAsked, requireTools, run, stop } = require('./run');

// A compiler with the sources of its standard library, as Debian packages them.
const PACKAGES = ['rustc-web', 'rust-web-src', 'libstd-rust-web-dev', 'libstd-rust-web-1.96'];
const LLVM = 'libllvm22';
const CACHE = path.join(os.homedir(), '.cache', 'ferrows', 'rust-with-sources');

// Unoptimised and watched, 125 MiB of messages take minutes.
const OPTIMISED = { CARGO_PROFILE_DEV_OPT_LEVEL: '1' };
const HELP = `Usage: npm run sanitize -- [address | thread] [ARGUMENTS OF CARGO TEST]

address  the tests in Rust, and the fuzz targets' smoke test, under AddressSanitizer and LeakSanitizer
thread   the tests in Rust under ThreadSanitizer, with a standard library that is instrumented, too

Without a name both.`;

const output = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' }).trim();

function toolchain() {
  const sysroot = output('rustc', '--print', 'sysroot');
  const target = /^host: (.*)$/m.exec(output('rustc', '-vV'))[1];
  return { sysroot, target, runtimes: path.join(sysroot, 'lib', 'rustlib', target, 'lib') };
}

/** Runs cargo with a sanitizer; the stable toolchain needs a variable for it. */
function cargo(args, sanitizer, variables = {}) {
  const { target } = toolchain();
  const folder = ['--target', target, '--target-dir', path.join('target', sanitizer)];
  return run('cargo', [...args, ...folder], {
    ...OPTIMISED,
    RUSTC_BOOTSTRAP: '1',
    RUSTFLAGS: `-Zsanitizer=${sanitizer}`,
    ...variables
  });
}

function address(rest) {
  return (
    cargo(['test', '-p', 'ferrows-core', '--tests', ...rest], 'address') &&
    cargo(['test', '--manifest-path', path.join('fuzz', 'Cargo.toml')], 'address')
  );
}

function thread(rest) {
  const test = ['test', '-p', 'ferrows-core', '--tests', '-Zbuild-std', ...rest];
  return cargo(test, 'thread', withSources());
}

/**
 * A compiler whose standard library can be built: the toolchain's own, if it has the component
 * rust-src, else the one of Debian's security archive, unpacked into a cache.
 */
function withSources() {
  const { sysroot, target, runtimes } = toolchain();
  const sources = path.join('lib', 'rustlib', 'src', 'rust', 'library', 'std');
  if (existsSync(path.join(sysroot, sources))) return {};

  const root = path.join(CACHE, 'usr');
  if (!existsSync(path.join(root, sources))) {
    console.log(`No sources of the standard library: unpacking Debian's into ${CACHE} …`);
    mkdirSync(CACHE, { recursive: true });
    const options = { cwd: CACHE, stdio: 'inherit' };
    execFileSync('apt-get', ['download', ...PACKAGES, LLVM], options);
    for (const name of readdirSync(CACHE).filter((file) => file.endsWith('.deb'))) {
      execFileSync('dpkg', ['-x', name, CACHE], options);
    }
  }
  const libraries = output('dpkg', '--print-architecture') === 'arm64' ? 'aarch64' : 'x86_64';
  // Debian leaves the runtimes of the sanitizers out.
  const theirs = path.join(root, 'lib', 'rustlib', target, 'lib');
  for (const name of readdirSync(runtimes).filter((file) => file.includes('_rt.'))) {
    if (!existsSync(path.join(theirs, name)))
      copyFileSync(path.join(runtimes, name), path.join(theirs, name));
  }
  return {
    RUSTC: path.join(root, 'bin', 'rustc'),
    LD_LIBRARY_PATH: path.join(root, 'lib', `${libraries}-linux-gnu`)
  };
}

const SANITIZERS = { address, thread };

const [name, ...rest] = process.argv.slice(2);
// What follows a name is cargo's.
helpIfAsked(HELP, [name]);
if (name !== undefined && !Object.hasOwn(SANITIZERS, name)) {
  stop(`Not understood: ${name}.\n\n${HELP}`);
}
requireTools();
const chosen = name === undefined ? Object.values(SANITIZERS) : [SANITIZERS[name]];
process.exitCode = chosen.every((sanitize) => sanitize(rest)) ? 0 : 1;
