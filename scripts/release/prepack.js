// npm runs this before it packs or publishes the checkout: a release is not made so.

'use strict';

console.error(
  'Not to be packed or published as it is: ferrows has its binaries in packages of their own.\n' +
    'Those of a release: node scripts/release/pack.js FOLDER, with a binary for each target.\n' +
    'A package of this clone, for this machine: npm run build && npm pack --ignore-scripts.'
);
process.exitCode = 1;
