// Loads the native addon for this platform.
//
// Called by bridge.js and errors.js. Runs on: js, once per module registry.
// FERROWS_NATIVE_PATH names another file to load, for single-file executables.

'use strict';

const path = require('path');

/**
 * Whether this process runs on musl rather than glibc.
 *
 * @return {Boolean}
 */
function isMusl() {
  const { header, sharedObjects = [] } = process.report.getReport();
  if (header.glibcVersionRuntime) return false;
  return sharedObjects.some((file) => file.includes('musl'));
}

/**
 * The name that the build gives to the addon of this platform.
 *
 * @return {String}
 */
function fileName() {
  const parts = [process.platform, process.arch];
  if (process.platform === 'linux') parts.push(isMusl() ? 'musl' : 'gnu');
  if (process.platform === 'win32') parts.push('msvc');
  return `ferrows.${parts.join('-')}.node`;
}

function load() {
  const file = process.env.FERROWS_NATIVE_PATH || path.join(__dirname, 'native', fileName());
  try {
    return require(file);
  } catch (cause) {
    throw new Error(
      `ferrows: cannot load its native addon ${file} (${cause.message}). ` +
        'Run "npm run build" in the ferrows directory, or reinstall it on this platform.',
      { cause }
    );
  }
}

module.exports = load();
