// The folders of the packages that a release consists of.
//
// `ferrows` has the code, one package for each target its binary, named by `os`,
// `cpu` and `libc`, so that package managers install the one that fits. All have
// the version of the checkout. Called by pack.js and tests.

'use strict';

const { copyFileSync, mkdirSync, readFileSync, writeFileSync } = require('fs');
const { execFileSync } = require('child_process');
const path = require('path');

const { TARGETS, fileName, packageName } = require('../../lib/loading/targets');

const LIBRARIES = { gnu: 'glibc', musl: 'musl' };
// What goes into each package. npm adds README.md and LICENSE to what a manifest names.
const NOTICES = ['LICENSE', 'THIRD-PARTY-NOTICES.txt'];
const SHARED = ['version', 'license', 'repository', 'bugs', 'homepage', 'engines'];

const readManifest = (root) => JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

function writeManifest(folder, manifest) {
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

function npm(args, cwd) {
  const options = { cwd, encoding: 'utf8', shell: process.platform === 'win32' };
  return execFileSync('npm', args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] });
}

/** What npm would pack of the checkout, but for binaries of this machine. */
function filesOf(root) {
  const [{ files }] = JSON.parse(npm(['pack', '--dry-run', '--json', '--ignore-scripts'], root));
  return files.map((file) => file.path).filter((name) => !name.endsWith('.node'));
}

/**
 * Lays out the package with the code.
 *
 * @param {String} root The checkout
 * @param {String} folder
 */
function layOutMain(root, folder) {
  for (const name of filesOf(root)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    copyFileSync(path.join(root, name), path.join(folder, name));
  }
  const manifest = readManifest(root);
  // Of use in a checkout only.
  delete manifest.scripts;
  delete manifest.devDependencies;
  const { version } = manifest;
  const optionalDependencies = Object.fromEntries(
    TARGETS.map(({ name }) => [packageName(name), version])
  );
  const files = manifest.files.filter((name) => !name.endsWith('.node'));
  writeManifest(folder, { ...manifest, files, optionalDependencies });
}

/**
 * Lays out the package of a target.
 *
 * @param {String} root The checkout
 * @param {String} folder
 * @param {{name: String, needs: String}} target One of lib/loading/targets.js
 * @param {String} binary Its path
 */
function layOutTarget(root, folder, target, binary) {
  const [platform, arch, libc] = target.name.split('-');
  const manifest = readManifest(root);
  const file = fileName(target.name);
  mkdirSync(folder, { recursive: true });
  copyFileSync(binary, path.join(folder, file));
  for (const name of NOTICES) copyFileSync(path.join(root, name), path.join(folder, name));
  const name = packageName(target.name);
  const description = `The native addon of ferrows for ${target.name} (${target.needs} or newer)`;
  writeFileSync(
    path.join(folder, 'README.md'),
    `# ${name}\n\n${description}. Installed with [ferrows](${manifest.homepage}), not by itself.\n`
  );
  writeManifest(folder, {
    name,
    description,
    ...Object.fromEntries(SHARED.map((field) => [field, manifest[field]])),
    main: file,
    files: [file, 'THIRD-PARTY-NOTICES.txt'],
    os: [platform],
    cpu: [arch],
    ...(libc === undefined ? {} : { libc: [LIBRARIES[libc]] })
  });
}

/**
 * Packs a folder.
 *
 * @param {String} folder
 * @param {String} destination
 * @return {String} The tarball's path
 */
function pack(folder, destination) {
  mkdirSync(destination, { recursive: true });
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', destination];
  const [{ filename }] = JSON.parse(npm(args, folder));
  return path.join(destination, filename.replace('@', '').replace('/', '-'));
}

module.exports = { layOutMain, layOutTarget, pack };
