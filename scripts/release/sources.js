// A digest of everything that a binary is built from.
//
// Binaries carry it (napi/src/identity.rs), so that those which were built on
// other machines, or before the last change, are told apart from current ones.
// Called by prebuild.js and checks.js.

'use strict';

const { createHash } = require('crypto');
const { readFileSync, readdirSync, statSync } = require('fs');
const path = require('path');

const INPUTS = ['Cargo.lock', 'Cargo.toml', 'napi', 'src'];

function filesUnder(root, name) {
  if (!statSync(path.join(root, name)).isDirectory()) return [name];
  const names = readdirSync(path.join(root, name)).sort();
  return names.flatMap((child) => filesUnder(root, `${name}/${child}`));
}

/**
 * @param {String} root The checkout
 * @return {String} Hexadecimal
 */
function digestOfSources(root) {
  const hash = createHash('sha256');
  for (const name of INPUTS.flatMap((input) => filesUnder(root, input))) {
    const content = readFileSync(path.join(root, name));
    hash.update(`${name}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex').slice(0, 32);
}

module.exports = { digestOfSources };
