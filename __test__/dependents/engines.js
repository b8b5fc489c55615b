// Which of the installed packages do not run on this Node, and why.
//
// Called by the scenarios of this folder and by the tests of the documentation.

'use strict';

const fs = require('fs');
const path = require('path');

const NODE = parseInt(process.versions.node);

// What their manifests do not say.
const NEEDS = { fastify: 20 };

/** The major version of Node that a package needs, 0 if it does not say. */
function oldest(name) {
  const file = path.join(__dirname, 'node_modules', name, 'package.json');
  if (NEEDS[name] || !fs.existsSync(file)) return NEEDS[name] || 0;
  const { engines = {} } = JSON.parse(fs.readFileSync(file, 'utf8'));
  const [, major] = /^>= ?(\d+)/.exec(engines.node) || [];
  return Number(major || 0);
}

/**
 * Why packages cannot be used here.
 *
 * @param {String[]} names
 * @return {?String}
 */
function obstacle(names) {
  const name = names.find((each) => oldest(each) > NODE);
  if (name !== undefined) return `${name} needs Node ${oldest(name)}`;
  // It reads once when there is something; a stream of Node 26 then gives one chunk, not all.
  if (names.includes('aedes') && NODE >= 26) return 'aedes 1 reads half of a packet on Node 26';
  return null;
}

module.exports = { obstacle };
