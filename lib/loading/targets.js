// The platforms that ferrows has binaries for.
//
// The one list of them: the loader names file, package and what is supported by it,
// scripts/release builds, checks and packs by it. Runs on: js.
// Tests: __test__/package/loading.test.js.

'use strict';

/**
 * `name` is the middle of the binary's file name, `triple` Rust's name, `needs` what a machine must
 * have at least.
 */
const TARGETS = [
  { name: 'linux-x64-gnu', triple: 'x86_64-unknown-linux-gnu', needs: 'glibc 2.17' },
  { name: 'linux-arm64-gnu', triple: 'aarch64-unknown-linux-gnu', needs: 'glibc 2.17' },
  { name: 'linux-x64-musl', triple: 'x86_64-unknown-linux-musl', needs: 'musl 1.2' },
  { name: 'linux-arm64-musl', triple: 'aarch64-unknown-linux-musl', needs: 'musl 1.2' },
  { name: 'darwin-x64', triple: 'x86_64-apple-darwin', needs: 'macOS 10.12' },
  { name: 'darwin-arm64', triple: 'aarch64-apple-darwin', needs: 'macOS 11' },
  { name: 'win32-x64', triple: 'x86_64-pc-windows-msvc', needs: 'Windows 10' },
  { name: 'win32-arm64', triple: 'aarch64-pc-windows-msvc', needs: 'Windows 11' }
];

/**
 * What the binary of a target is called.
 *
 * @param {String} name
 * @return {String}
 */
function fileName(name) {
  return `ferrows.${name}.node`;
}

/**
 * The package that brings the binary of a target: an optional dependency of ferrows that package
 * managers install where it fits.
 *
 * @param {String} name
 * @return {String}
 */
function packageName(name) {
  return `@ferrows/${name}`;
}

module.exports = { TARGETS, fileName, packageName };
