'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { randomBytes: noise } = require('crypto');
const { spawnSync } = require('child_process');

const { faultsOf } = require('../../scripts/release/binary');
const { faultsOfRelease } = require('../../scripts/release/checks');
const { layOutMain, layOutTarget } = require('../../scripts/release/packages');
const { digestOfSources } = require('../../scripts/release/sources');
const { TARGETS, fileName, packageName } = require('../../lib/loading/targets');

const VERSION = '1.2.3';
const SOURCES = 'abc123';

/** Writes an ELF file with one dynamic section and, if asked, one version need. */
function elf({ machine = 62, nodelete = true, needed = ['libc.so.6'], glibc = '2.17', text } = {}) {
  const bytes = Buffer.alloc(4096);
  bytes.write('\x7fELF\x02\x01', 'latin1');
  bytes.writeUInt16LE(machine, 18);
  // A null section, .dynstr, .dynamic, .gnu.version_r.
  const [headers, strings, dynamic, needs, texts] = [64, 512, 1024, 1536, 2048];
  bytes.writeBigUInt64LE(BigInt(headers), 40);
  bytes.writeUInt16LE(64, 58);
  bytes.writeUInt16LE(4, 60);
  const section = (index, type, offset, size, link, info) => {
    const at = headers + index * 64;
    bytes.writeUInt32LE(type, at + 4);
    bytes.writeBigUInt64LE(BigInt(offset), at + 24);
    bytes.writeBigUInt64LE(BigInt(size), at + 32);
    bytes.writeUInt32LE(link, at + 40);
    bytes.writeUInt32LE(info, at + 44);
  };
  let end = 1;
  const string = (value) => {
    const at = end;
    end += bytes.write(`${value}\0`, strings + at);
    return at;
  };
  const entries = needed.map((library) => [1n, BigInt(string(library))]);
  if (nodelete) entries.push([0x6ffffffbn, 9n]);
  entries.push([0n, 0n]);
  entries.forEach(([tag, value], index) => {
    bytes.writeBigInt64LE(tag, dynamic + index * 16);
    bytes.writeBigUInt64LE(value, dynamic + index * 16 + 8);
  });
  section(1, 3, strings, 512, 0, 0);
  section(2, 6, dynamic, entries.length * 16, 1, 0);
  if (glibc !== null) {
    // One file with two versions, the newer one first.
    section(3, 0x6ffffffe, needs, 48, 1, 1);
    bytes.writeUInt16LE(2, needs + 2);
    bytes.writeUInt32LE(16, needs + 8);
    [glibc, '2.2.5'].forEach((version, index) => {
      bytes.writeUInt32LE(string(`GLIBC_${version}`), needs + 16 + index * 16 + 8);
      bytes.writeUInt32LE(index === 0 ? 16 : 0, needs + 16 + index * 16 + 12);
    });
  }
  bytes.write(text === undefined ? `ferrows/${VERSION}/${SOURCES}/` : text, texts);
  return bytes;
}

function machO(cpu) {
  const bytes = Buffer.alloc(256);
  bytes.writeUInt32LE(0xfeedfacf, 0);
  bytes.writeUInt32LE(cpu, 4);
  bytes.write(`ferrows/${VERSION}/${SOURCES}/`, 64);
  return bytes;
}

function pe(machine) {
  const bytes = Buffer.alloc(256);
  bytes.write('MZ');
  bytes.writeUInt32LE(128, 0x3c);
  bytes.write('PE\0\0', 128);
  bytes.writeUInt16LE(machine, 132);
  bytes.write(`ferrows/${VERSION}/${SOURCES}/`, 160);
  return bytes;
}

const target = (name) => TARGETS.find((each) => each.name === name);
const faults = (bytes, name) => faultsOf(bytes, target(name), VERSION, SOURCES);

/** A sound binary of a target. */
function sound(name) {
  const [platform, arch, libc] = name.split('-');
  if (platform === 'darwin') return machO(arch === 'x64' ? 0x01000007 : 0x0100000c);
  if (platform === 'win32') return pe(arch === 'x64' ? 0x8664 : 0xaa64);
  const machine = arch === 'x64' ? 62 : 183;
  return libc === 'musl' ? elf({ machine, needed: ['libc.so'], glibc: null }) : elf({ machine });
}

describe('a binary', () => {
  test.each(TARGETS.map(({ name }) => [name]))('that is sound for %s', (name) => {
    expect(faults(sound(name), name)).toEqual([]);
    // And for no other target.
    for (const other of TARGETS.filter((each) => each.name !== name)) {
      expect(faults(sound(name), other.name)).not.toEqual([]);
    }
  });

  test.each([
    ['can be unloaded', elf({ nodelete: false }), 'can be unloaded'],
    ['needs a newer glibc', elf({ glibc: '2.34' }), 'needs glibc 2.34'],
    ['needs another library', elf({ needed: ['libssl.so.3'] }), 'needs libssl.so.3'],
    ['is of another version', elf({ text: 'ferrows/1.2.2/abc123/' }), 'is of version 1.2.2'],
    ['is stale', elf({ text: `ferrows/${VERSION}/abc124/` }), 'is stale'],
    ['is a local build', elf({ text: `ferrows/${VERSION}/unstated/` }), 'is stale'],
    ['is nameless', elf({ text: '' }), 'does not say what it was built from'],
    [
      'tells of its build machine',
      elf({ text: `ferrows/${VERSION}/${SOURCES}/ /home/someone/.cargo/registry/x.rs` }),
      'names a folder of its build machine: /home/someone/'
    ],
    ['is damaged', Buffer.from(`ferrows/${VERSION}/${SOURCES}/`.repeat(4)), 'is damaged']
  ])('that %s is refused', (_, bytes, text) => {
    const found = faults(bytes, 'linux-x64-gnu');
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(text);
  });
});

describe('a release', () => {
  let root;

  const write = (name, content) => {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    fs.writeFileSync(path.join(root, name), content);
  };
  const manifest = (more = {}) => {
    const fields = { name: 'ferrows', version: VERSION, repository: 'r', bugs: 'b', homepage: 'h' };
    write('package.json', JSON.stringify({ ...fields, ...more }));
  };
  const binary = (name) => `lib/native/${fileName(name)}`;

  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-release-'));
    manifest();
    write('Cargo.toml', `[workspace.package]\nversion = "${VERSION}"\n`);
    write('Cargo.lock', '');
    write('src/lib.rs', '');
    write('napi/src/lib.rs', '');
    write('package-lock.json', JSON.stringify({ packages: { '': { version: VERSION } } }));
    write('CHANGELOG.md', `# Changelog\n\n## ${VERSION} (2026-11-25)\n`);
    const sources = digestOfSources(root);
    for (const { name } of TARGETS) {
      const bytes = sound(name);
      const at = bytes.indexOf(`ferrows/${VERSION}`);
      bytes.write(`ferrows/${VERSION}/${sources}/`, at);
      write(binary(name), bytes);
    }
  });

  afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

  test('that is complete may be packed', () => {
    expect(faultsOfRelease(root)).toEqual([]);
  });

  test.each([
    [
      'a binary is missing',
      () => fs.rmSync(path.join(root, binary('win32-x64'))),
      1,
      /win32-x64\.node is missing/
    ],
    [
      'there is no binary',
      () => fs.rmSync(path.join(root, 'lib'), { recursive: true }),
      TARGETS.length,
      /is missing$/
    ],
    ['a source changed', () => write('src/lib.rs', '//'), TARGETS.length, /is stale/],
    ['a source was added', () => write('napi/src/new.rs', ''), TARGETS.length, /is stale/],
    [
      'a foreign file is there',
      () => write('lib/native/x.node', ''),
      1,
      /x\.node belongs to no target/
    ],
    ['it has no repository', () => manifest({ repository: undefined }), 1, /no repository/],
    [
      'the changelog does not know it',
      () => write('CHANGELOG.md', '## Unreleased\n'),
      1,
      /CHANGELOG\.md has no entry for 1\.2\.3/
    ],
    [
      'the lock file is of another version',
      () => write('package-lock.json', '{"packages":{"":{"version":"1.2.2"}}}'),
      1,
      /package-lock\.json has another version/
    ]
  ])('is refused if %s', (_, change, count, text) => {
    change();
    const found = faultsOfRelease(root);
    expect(found).toHaveLength(count);
    for (const fault of found) expect(fault).toMatch(text);
  });

  test('is refused if versions differ', () => {
    manifest({ version: '1.3.0' });
    const found = faultsOfRelease(root).join('\n');
    expect(found).toContain('Cargo.toml and package.json (1.3.0) have different versions');
    expect(found).toContain('package-lock.json has another version');
    expect(found).toContain('CHANGELOG.md has no entry for 1.3.0');
    expect(found).toContain(`${binary('linux-x64-gnu')} is of version ${VERSION}`);
  });

  test('is refused if a binary is large', () => {
    const bytes = Buffer.concat([
      fs.readFileSync(path.join(root, binary('win32-x64'))),
      noise(4e6)
    ]);
    write(binary('win32-x64'), bytes);
    const found = faultsOfRelease(root).filter((fault) => fault.includes('compressed'));
    expect(found).toEqual([expect.stringContaining('win32-x64.node takes 4')]);
  });

  test('is packed of folders that npm makes packages for one platform each of', () => {
    const packages = path.join(root, 'packages');
    write('LICENSE', '');
    write('THIRD-PARTY-NOTICES.txt', '');
    for (const one of TARGETS) {
      const folder = path.join(packages, one.name);
      layOutTarget(root, folder, one, path.join(root, binary(one.name)));
      const laid = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
      const [platform, arch, libc] = one.name.split('-');
      expect(laid).toMatchObject({
        name: packageName(one.name),
        version: VERSION,
        repository: 'r'
      });
      expect([laid.os, laid.cpu]).toEqual([[platform], [arch]]);
      expect(laid.libc).toEqual({ gnu: ['glibc'], musl: ['musl'] }[libc]);
      expect(fs.readFileSync(path.join(folder, laid.main))).toEqual(
        fs.readFileSync(path.join(root, binary(one.name)))
      );
    }
    manifest({ files: ['index.js', 'lib/native/*.node'], scripts: {}, devDependencies: {} });
    write('index.js', '');
    layOutMain(root, path.join(packages, 'ferrows'));
    const text = fs.readFileSync(path.join(packages, 'ferrows', 'package.json'), 'utf8');
    const { files, optionalDependencies, ...rest } = JSON.parse(text);
    expect(files).toEqual(['index.js']);
    expect(Object.keys(optionalDependencies)).toEqual(TARGETS.map(({ name }) => packageName(name)));
    expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([VERSION]));
    expect(rest).not.toHaveProperty('scripts');
    expect(rest).not.toHaveProperty('devDependencies');
    expect(fs.readdirSync(path.join(packages, 'ferrows')).sort()).toEqual([
      'LICENSE',
      'index.js',
      'package.json'
    ]);
  });

  test.each([['prepack.js'], ['pack.js', os.tmpdir()]])(
    'is not made of a checkout by %s without binaries',
    (name, ...args) => {
      const program = path.join(__dirname, '..', '..', 'scripts', 'release', name);
      const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
        encoding: 'utf8'
      });
      expect(status).toBe(1);
      expect(stderr).toContain('Not to be p');
    }
  );

  test('npm packs and publishes the checkout after prepack only', () => {
    const { scripts } = require('../../package.json');
    expect(scripts.prepack).toBe('node scripts/release/prepack.js');
  });
});

test('the workflow builds exactly the targets of the list', () => {
  const file = path.join(__dirname, '..', '..', '.github', 'workflows', 'release.yml');
  const text = fs.readFileSync(file, 'utf8');
  const built = [...text.matchAll(/target: ([\w-]+), triple: ([\w-]+)/g)].map((match) => [
    match[1],
    match[2]
  ]);
  expect(built).toEqual(TARGETS.map(({ name, triple }) => [name, triple]));
  // Every action by its commit.
  for (const [, action] of text.matchAll(/uses: (\S+)/g)) expect(action).toMatch(/@[0-9a-f]{40}$/);
});
