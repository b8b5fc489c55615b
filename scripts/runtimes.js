// npm run runtimes: tests with several versions of Node, which come from the npm
// registry (runtime-cache.js). No stage of npm test: a version takes minutes; the
// package stage has a short conversation on each of them. --help lists the options.

'use strict';

const fs = require('fs');
const path = require('path');

const { ROOT, helpIfAsked, run, stop } = require('./run');
const { FOLDER, VERSIONS, obtain, resolveNode } = require('./runtime-cache');

const TESTS = ['api', 'differential', 'process'];
const JEST = path.join('node_modules', 'jest', 'bin', 'jest.js');

const HELP = `Usage: npm run runtimes -- [--node VERSION,...] [--tests FOLDER,...]

Runs tests in folders of __test__ with several versions of Node. The addon must be built.

  --node   a version ("18", "22.23.3") or "latest"; default ${VERSIONS.node.join(',')}
  --tests  default ${TESTS.join(',')}

The executables come from the npm registry and are kept in ${FOLDER}
(RUNTIMES_CACHE=FOLDER names another folder).`;

function options(args) {
  const chosen = { node: VERSIONS.node, tests: TESTS };
  const rest = [...args];
  while (rest.length > 0) {
    const [option, list] = rest.splice(0, 2);
    const name = option.replace(/^--/, '');
    if (!option.startsWith('--') || !Object.hasOwn(chosen, name)) {
      stop(`Unknown option ${option}.\n\n${HELP}`);
    }
    chosen[name] = (list || '').split(',').filter(Boolean);
    if (chosen[name].length === 0) stop(`${option} needs a list.\n\n${HELP}`);
  }
  for (const version of chosen.node) {
    if (!/^(?:\d+(?:\.\d+){0,2}|latest)$/.test(version)) stop(`${version} is no version of Node.`);
  }
  for (const name of chosen.tests) {
    if (!/^\w+$/.test(name) || !fs.existsSync(path.join(ROOT, '__test__', name))) {
      stop(`There is no folder __test__/${name}.`);
    }
  }
  return chosen;
}

/** Runs the tests with a version; tells what came of it. */
function test(asked, tests) {
  const { version, reason: unknown } = resolveNode(asked);
  if (version === null) return { name: asked, failed: [`not found: ${unknown}`] };
  const { executable, reason } = obtain('node', version);
  if (reason !== null) return { name: version, failed: [reason] };
  // What tests start by the name "node" is the same version.
  const paths = [path.dirname(executable), process.env.PATH].join(path.delimiter);
  const failed = tests.filter((folder) => {
    console.log(`\n=== Node.js ${version}, ${folder} ===`);
    return !run(executable, [JEST, `__test__/${folder}/`], { PATH: paths });
  });
  return { name: version, failed };
}

helpIfAsked(HELP);
const { node, tests } = options(process.argv.slice(2));
const results = node.map((version) => test(version, tests));

console.log('\n=== summary ===');
for (const { name, failed } of results) {
  console.log(failed.length === 0 ? `passed  ${name}` : `FAILED  ${name}: ${failed.join(', ')}`);
}
process.exitCode = results.every(({ failed }) => failed.length === 0) ? 0 : 1;
