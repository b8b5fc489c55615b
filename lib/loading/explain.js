// The one error that says why no native addon could be loaded and what to do.
//
// Called by load.js. The true error of the system is its `cause`. A remedy must
// work where the user stands: an installed package cannot build anything.
// Runs on: js. Tests: __test__/package/loading.test.js.

'use strict';

const { TARGETS, fileName, packageName } = require('./targets');
const { findMistakes } = require('./variables');

// What loaders of shared libraries say, and what is behind it.
const SYMPTOMS = [
  {
    says: /addons? (?:is|are|has been) disabled|ERR_DLOPEN_DISABLED|--no-addons/,
    remedy:
      'This process may not load addons: start Node.js without --no-addons, and with ' +
      '--allow-addons where it runs with permissions.'
  },
  {
    says: /GLIBC_\d[\d.]*'? not found/,
    remedy:
      'The C library of this system is older than the binary needs: see what is supported below.'
  },
  {
    says: /failed to map segment|Operation not permitted|code signature|not valid for use/,
    remedy:
      'The system does not let code be run from there, as on a file system mounted with noexec. Put ' +
      'the package on another one, or a copy of the file, and name that in FERROWS_NATIVE_PATH.'
  },
  {
    says: /Permission denied|EACCES|Access is denied/,
    remedy: 'This user may not read the file: correct its permissions and those of its folders.'
  },
  {
    says: /cannot open shared object file|Error loading shared library|module could not be found/,
    remedy:
      'The binary is for another system or C library, or a library that it needs is not installed.'
  },
  {
    says: /not an addon of this version|belongs to ferrows/,
    remedy: 'Code and binary are of different versions.'
  },
  {
    says: /its end is missing|ELF|file too short|too short|mach-o|not a valid Win32|slice is not valid|incompatible/i,
    remedy: 'The file is damaged, or a binary of another kind of machine.'
  }
];

const RENEWALS = {
  bundle: (target) =>
    `Code that was bundled needs the binary beside it: copy ${fileName(target)} from the package ` +
    `${packageName(target)} of the same version into the folder of the bundle, or name it in ` +
    'FERROWS_NATIVE_PATH.',
  clone: () => 'This is a clone: "npm run build" makes the binary (with Rust).',
  package: (target, version) =>
    `The binary is in the package ${packageName(target)}, an optional dependency. It is missing where ` +
    'optional dependencies are left out (--omit=optional), node_modules came from another platform, ' +
    'or npm made the lock file on one (npm/cli#4828): remove node_modules and the lock file and ' +
    `install again, or install ${packageName(target)}@${version} beside this package. What is ` +
    'installed straight from a repository (git+…) has no binaries: they are in the releases only.'
};

function firstLine(error) {
  return String(error.message).split('\n', 1)[0];
}

function reasonOf({ file, error, exists }) {
  if (exists) return `${file}: ${firstLine(error).replace(`${file}: `, '')}`;
  return `${file}: ${file.startsWith('@') ? 'not installed' : 'no such file'}`;
}

function remediesFor(failure, { place, target, version }) {
  const remedies = [];
  if (failure.exists) {
    const text = `${failure.error.code} ${failure.error.message}`;
    const symptom = SYMPTOMS.find(({ says }) => says.test(text));
    if (symptom) remedies.push(symptom.remedy);
  }
  if (process.env.FERROWS_NATIVE_PATH) {
    remedies.push('FERROWS_NATIVE_PATH names this file: correct the variable or unset it.');
  } else if (place !== 'clone' && TARGETS.every(({ name }) => name !== target)) {
    remedies.push(
      `There is no binary for ${target}. "npm run build" in a clone of ferrows may make one (with ` +
        'Rust); the package ws has the same API and runs everywhere.'
    );
  } else {
    remedies.push(RENEWALS[place](target, version));
  }
  return remedies;
}

/**
 * @param {Object} attempt
 * @param {{file: String, error: Error, exists: Boolean}[]} attempt.failures In their order
 * @param {String} attempt.place clone, package or bundle
 * @param {String} attempt.target What this process needs
 * @param {String} attempt.version Of the package
 * @return {Error}
 */
function explain({ failures, place, target, version }) {
  // A file that is there and does not load tells more than those that are not there.
  const failure = failures.find(({ exists }) => exists) || failures[0];
  const { electron, node } = process.versions;
  const runtime = electron ? `Electron ${electron}, Node.js ${node}` : `Node.js ${node}`;
  const supported = TARGETS.map(({ name, needs }) => `${name} (${needs})`).join(', ');
  const error = new Error(
    [
      `ferrows ${version} cannot load its native addon for ${target} (${runtime}).`,
      ...failures.map((each) => `Tried ${reasonOf(each)}`),
      ...remediesFor(failure, { place, target, version }),
      ...findMistakes(process.env),
      `Supported, from the version given on: ${supported}; Node.js 18.`
    ].join('\n'),
    { cause: failure.error }
  );
  error.code = 'FERROWS_NATIVE_ADDON';
  return error;
}

module.exports = { explain };
