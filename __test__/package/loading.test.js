'use strict';

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

const { detectLibc } = require('../../lib/loading/libc');
const { interpreterOf } = require('../../lib/loading/elf');
const { explain } = require('../../lib/loading/explain');
const { TARGETS } = require('../../lib/loading/targets');
const { ADDON, FILE, PLATFORM, ROOT, requireIn, stage } = require('./staged');

const staged = [];

function laid(options) {
  const one = stage(options);
  staged.push(one);
  return one;
}

afterEach(() => {
  for (const one of staged.splice(0)) one.remove();
});

const isLinux = process.platform === 'linux';

/** Whether this user may mount file systems in a namespace of its own. */
function canMount() {
  if (!isLinux) return false;
  const { status } = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs none /mnt']);
  return status === 0;
}

const ifLinux = isLinux ? test : test.skip;
const ifMounting = canMount() ? test : test.skip;

describe('choosing the binary', () => {
  test('an installed package loads its own', () => {
    const { app } = laid();
    expect(requireIn(app)).toEqual({ loaded: true, warnings: '' });
  });

  test("or that of the platform's package, wherever package managers put it", () => {
    const { app, root, addon } = laid();
    const modules = path.join(app, 'node_modules');
    for (const folder of [
      path.join(root, 'node_modules', PLATFORM),
      path.join(modules, PLATFORM)
    ]) {
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, 'package.json'), `{"name":"${PLATFORM}"}`);
      const moved = path.join(folder, FILE);
      fs.renameSync(addon, moved);
      expect(requireIn(app)).toEqual({ loaded: true, warnings: '' });
      fs.renameSync(moved, addon);
      fs.rmSync(folder, { recursive: true });
    }
    fs.rmSync(addon);
    expect(requireIn(app).loaded).toBe(false);
  });

  test('process.report, which looks names up, is not asked', () => {
    const { app } = laid();
    const before = `process.report.getReport = () => { throw new Error('asked') };
      process.report.writeReport = process.report.getReport;
      process.on('exit', () => console.error('still ' + process.report.excludeNetwork));`;
    const { excludeNetwork } = process.report;
    const { loaded, warnings } = requireIn(app, { before });
    expect({ loaded, warnings }).toEqual({ loaded: true, warnings: `still ${excludeNetwork}\n` });
  });

  test('FERROWS_NATIVE_PATH comes first, relative to the working directory', () => {
    const { app, addon } = laid();
    fs.mkdirSync(path.join(app, 'elsewhere'));
    fs.renameSync(addon, path.join(app, 'elsewhere', 'any.node'));
    const env = { FERROWS_NATIVE_PATH: path.join('elsewhere', 'any.node') };
    expect(requireIn(app, { env }).loaded).toBe(true);
    expect(requireIn(app).loaded).toBe(false);
  });

  test('what FERROWS_NATIVE_PATH names is not replaced by another file', () => {
    const { app } = laid();
    const env = { FERROWS_NATIVE_PATH: 'nowhere.node' };
    const { message, cause } = requireIn(app, { env });
    expect(message).toContain(`Tried ${path.join(app, 'nowhere.node')}: no such file`);
    expect(message).toContain('correct the variable or unset it');
    expect(message).not.toContain(FILE);
    expect(cause.code).toBe('MODULE_NOT_FOUND');
  });

  test('a file that is not called *.node is refused instead of run', () => {
    const { app } = laid();
    const file = path.join(app, 'run.js');
    fs.writeFileSync(file, 'process.exit(3)');
    const { message } = requireIn(app, { env: { FERROWS_NATIVE_PATH: file } });
    expect(message).toContain('does not end in ".node"');
  });
});

describe('which C library it is', () => {
  function executable(interpreter) {
    const bytes = Buffer.alloc(64 + 56 + 64);
    bytes.write('\x7fELF\x02\x01', 'latin1');
    bytes.writeBigUInt64LE(64n, 32);
    bytes.writeUInt16LE(56, 54);
    bytes.writeUInt16LE(1, 56);
    bytes.writeUInt32LE(3, 64);
    bytes.writeBigUInt64LE(120n, 72);
    bytes.writeBigUInt64LE(BigInt(interpreter.length + 1), 96);
    bytes.write(interpreter, 120);
    const file = path.join(laid({ withAddon: false }).app, 'node');
    fs.writeFileSync(file, bytes);
    return file;
  }

  test.each([
    ['/lib/ld-musl-x86_64.so.1', 'musl'],
    ['/lib/ld-musl-aarch64.so.1', 'musl'],
    ['/lib64/ld-linux-x86-64.so.2', 'gnu'],
    ['/nix/store/x-glibc-2.40/lib/ld-linux-aarch64.so.1', 'gnu']
  ])('an executable for %s runs on %s', (interpreter, libc) => {
    const execPath = executable(interpreter);
    expect(interpreterOf(execPath)).toBe(interpreter);
    expect(detectLibc({ execPath })).toBe(libc);
  });

  test.each([
    [{ header: { glibcVersionRuntime: '2.36' } }, 'gnu'],
    [{ header: {}, sharedObjects: ['/lib/ld-musl-x86_64.so.1'] }, 'musl']
  ])('where the executable does not tell, the report does: %j', (content, libc) => {
    const seen = [];
    const report = {
      excludeNetwork: false,
      getReport() {
        seen.push(report.excludeNetwork);
        return content;
      }
    };
    expect(detectLibc({ execPath: path.join(ROOT, 'index.js'), report })).toBe(libc);
    expect(seen).toEqual([true]);
    expect(report.excludeNetwork).toBe(false);
  });

  test('a report that cannot leave the network out is not asked', () => {
    const report = { getReport: () => ({ header: {}, sharedObjects: ['/lib/ld-musl-x.so.1'] }) };
    const withReport = detectLibc({ execPath: '/nonexistent', report });
    expect(withReport).toBe(detectLibc({ execPath: '/nonexistent' }));
  });

  ifLinux('this process is asked what its executable says', () => {
    const libc = detectLibc(process);
    expect(interpreterOf(process.execPath)).toMatch(libc === 'musl' ? /ld-musl/ : /ld-linux/);
  });
});

describe('one error says what is wrong', () => {
  test('no binary in an installed package, as after an installation from a repository', () => {
    const { app, addon } = laid({ withAddon: false });
    const { message, code, cause } = requireIn(app);
    expect(code).toBe('FERROWS_NATIVE_ADDON');
    expect(message).toContain(`Tried ${addon}: no such file`);
    expect(message).toContain(`Tried ${PLATFORM}: not installed`);
    expect(message).toContain('remove node_modules and the lock file and install again');
    const { version } = require('../../package.json');
    expect(message).toContain(`install ${PLATFORM}@${version} beside this package`);
    expect(message).toContain('git+');
    expect(message).not.toContain('npm run build');
    expect(message).toContain(`Node.js ${process.versions.node}`);
    for (const { name, needs } of TARGETS) expect(message).toContain(`${name} (${needs})`);
    expect(cause.code).toBe('MODULE_NOT_FOUND');
  });

  test('no binary in a clone', () => {
    const { app, root } = laid({ withAddon: false });
    fs.writeFileSync(path.join(root, 'Cargo.toml'), '');
    expect(requireIn(app).message).toContain('"npm run build" makes the binary');
  });

  test('no binary beside a bundle', () => {
    const { app, root } = laid({ withAddon: false });
    // A file that is another package's now.
    const manifest = path.join(root, 'package.json');
    const text = fs.readFileSync(manifest, 'utf8');
    fs.writeFileSync(manifest, text.replace('"name":"ferrows"', '"name":"app"'));
    const { message } = requireIn(app);
    expect(message).toContain(`Tried ${path.join(root, 'lib', FILE)}: no such file`);
    expect(message).toContain(`copy ${FILE} from the package ${PLATFORM}`);
  });

  ifLinux.each([
    ['in the headers', (size) => Math.min(size, 200)],
    ['in the code', (size) => size >> 1],
    ['by a byte', (size) => size - 1]
  ])('a binary that is cut off %s', (_, length) => {
    const { app, addon } = laid();
    fs.truncateSync(addon, length(fs.statSync(addon).size));
    const { message } = requireIn(app);
    expect(message).toContain(`Tried ${addon}: its end is missing`);
    expect(message).toContain('The file is damaged');
  });

  test.each([
    ['garbage', () => Buffer.from('nothing of the kind')],
    ['empty', () => Buffer.alloc(0)]
  ])('a binary that is %s', (_, content) => {
    const { app, addon } = laid({ withAddon: false });
    fs.writeFileSync(addon, content());
    const { message, cause } = requireIn(app);
    expect(message).toMatch(/damaged|other system|not let code be run/);
    expect(message).toContain('install again');
    expect(cause.code).toBe('ERR_DLOPEN_FAILED');
    // Once only.
    expect(message.split(addon)).toHaveLength(2);
  });

  ifLinux('a binary of another architecture', () => {
    const { app, addon } = laid();
    const bytes = fs.readFileSync(addon);
    const others = { x64: 183, arm64: 62 };
    bytes.writeUInt16LE(others[process.arch], 18);
    fs.writeFileSync(addon, bytes);
    const { message, cause } = requireIn(app);
    expect(message).toMatch(/another kind of machine|for another system/);
    expect(cause.code).toBe('ERR_DLOPEN_FAILED');
  });

  test('an addon that is not ferrows', () => {
    const { app } = laid();
    const bufferutil = path.dirname(require.resolve('bufferutil/package.json'));
    const file = require('node-gyp-build').path(bufferutil);
    const { message } = requireIn(app, { env: { FERROWS_NATIVE_PATH: file } });
    expect(message).toContain('not an addon of this version of ferrows');
    expect(message).toContain('Code and binary are of different versions.');
  });

  test('a binary of another version', () => {
    const { app } = laid({ manifest: { version: '99.0.0' } });
    const { version } = require('../../package.json');
    const { message } = requireIn(app);
    expect(message).toContain(`it belongs to ferrows ${version}, this is 99.0.0`);
  });

  test('a platform without a binary', () => {
    const { app } = laid();
    const before = `Object.defineProperty(process, 'platform', { value: 'sunos' });`;
    const { message } = requireIn(app, { before });
    expect(message).toContain(`There is no binary for sunos-${process.arch}`);
    expect(message).toContain('the package ws has the same API');
  });

  test('addons switched off', () => {
    const { app } = laid();
    const { message, cause } = requireIn(app, { flags: ['--no-addons'] });
    expect(message).toContain('start Node.js without --no-addons');
    expect(cause.code).toBe('ERR_DLOPEN_DISABLED');
  });

  test('a C library that is too old', () => {
    const text = "/lib/libc.so.6: version `GLIBC_2.34' not found (required by /x.node)";
    const error = Object.assign(new Error(text), { code: 'ERR_DLOPEN_FAILED' });
    const failures = [{ file: '/x.node', error, exists: true }];
    const options = { failures, place: 'package', target: 'linux-x64-gnu', version: '1.0.0' };
    const explained = explain(options);
    expect(explained.message).toContain('older than the binary needs');
    expect(explained.cause).toBe(error);
  });

  test('a slip in the name of FERROWS_NATIVE_PATH', () => {
    const { app } = laid({ withAddon: false });
    const { message } = requireIn(app, { env: { FERROWS_NATIV_PATH: ADDON } });
    expect(message).toContain('FERROWS_NATIVE_PATH may be meant');
  });
});

describe('file systems', () => {
  function requireMounted(options) {
    const { app, root } = laid();
    const copy = path.join(app, 'copy');
    fs.cpSync(root, copy, { recursive: true });
    const result = `try { require('ferrows'); console.log('loaded') } catch (error) {
      console.log(error.message) }`;
    const script = `mount -t tmpfs none "$1" && cp -r "$2"/. "$1" &&
      mount -o remount,${options} "$1" && cd "$3" && exec "$4" -e "$5"`;
    const args = ['-m', 'sh', '-c', script, 'sh', root, copy, app, process.execPath, result];
    const { stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8' });
    return stdout + stderr;
  }

  ifMounting('one that is read-only is enough', () => {
    expect(requireMounted('ro')).toBe('loaded\n');
  });

  ifMounting('one that forbids running code is named as the reason', () => {
    expect(requireMounted('noexec')).toContain('mounted with noexec');
  });
});
