// Gives HTTP requests that are almost right to Node's server and to ours and
// compares what they make of them:
//   node scripts/compare-heads.js [--heads 100000] [--seed 1]
// A difference is printed with its request, and the exit code is 1.
// Run by __test__/differential/http-head.test.js; longer by hand.

'use strict';

const { isDeepStrictEqual } = require('util');
const { maxHeaderSize } = require('http');

const { Heads } = require('../__test__/support/http-heads');
const { NodeSide, OurSide } = require('../__test__/support/http-parsers');

// Small limits now and then, or hardly a head would come near one.
const LIMITS = [...Array(6).fill(maxHeaderSize), 500, 100];
const MOST_SHOWN = 5;

// COMPAT: newer Nodes read the body of an upgrade request before they look at what follows it.
const READS_BODIES = parseInt(process.versions.node) >= 26;

function isUpgradeWithBody({ upgrade }) {
  if (upgrade === null) return false;
  const { headers } = upgrade.request;
  return 'content-length' in headers || 'transfer-encoding' in headers;
}

function option(name, preset) {
  const at = process.argv.indexOf(name);
  return at === -1 ? preset : Number(process.argv[at + 1]);
}

/** What a request came to, in a word. */
function kindOf({ answers, upgrade }) {
  if (upgrade !== null) return 'upgrade';
  const [status] = /(?<=^HTTP\/1\.1 )\d+/.exec(answers.join('')) || ['silence'];
  return status;
}

function show(index, { chunks, ends }, limit, node, ours) {
  const texts = chunks.map((chunk) => chunk.toString('latin1'));
  console.log(`request ${index}, limit ${limit}, then ${ends ? 'the end' : 'silence'}:`);
  for (const value of [texts, node, ours]) console.log(`  ${JSON.stringify(value)}`);
}

async function main() {
  const count = option('--heads', 100000);
  const seed = option('--seed', 1);
  const heads = new Heads(seed);
  const sides = new Map(LIMITS.map((limit) => [limit, [new NodeSide(limit), new OurSide(limit)]]));
  const kinds = {};
  let different = 0;

  for (let index = 0; index < count; index++) {
    const request = heads.next();
    const limit = LIMITS[index % LIMITS.length];
    const [nodeSide, ourSide] = sides.get(limit);
    const node = await nodeSide.play(request);
    const ours = ourSide.play(request);
    const kind = kindOf(node);
    kinds[kind] = (kinds[kind] || 0) + 1;
    if (isDeepStrictEqual(node, ours) || (READS_BODIES && isUpgradeWithBody(ours))) continue;
    if (different++ < MOST_SHOWN) show(index, request, limit, node, ours);
  }
  console.log(JSON.stringify({ node: process.version, seed, heads: count, different, kinds }));
  process.exit(different === 0 ? 0 : 1);
}

main();
