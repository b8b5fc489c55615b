// Engines for a backbone: Redis and NATS on loopback, each with a folder of its own.
//
// They are Debian's packages, installed by scripts/setup-counterparts.js. Tests that need one that
// is not there are skipped with the reason in their title.

'use strict';

const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const { spawn, spawnSync } = require('child_process');

const certificate = require('./certificate');
const { freePort } = require('./ports');

const ANSWER_LIMIT = 15000;

const PROGRAMS = { redis: 'redis-server', nats: 'nats-server' };

function isThere(program) {
  const { error } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  return error === undefined;
}

/** A test's title, with the reason if it cannot run, and what runs it. */
function withEngine(name, title) {
  const program = PROGRAMS[name];
  if (isThere(program)) return { title, test };
  return { title: `${title} (skipped: there is no ${program})`, test: test.skip };
}

/** Waits until somebody listens. */
async function listening(port) {
  const deadline = Date.now() + ANSWER_LIMIT;
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const isUp = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isUp) return;
    if (Date.now() > deadline) throw new Error(`Nobody listens on ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class Engine {
  /**
   * @param {String} name 'redis' or 'nats'
   * @param {Object} [options] `password`, `tls`, `args` (more arguments), `config` and `jetstream`
   *     (of NATS)
   */
  constructor(name, { password, tls = false, args = [], config, jetstream = true } = {}) {
    this.name = name;
    this._jetstream = jetstream;
    this._password = password;
    this._args = args;
    this._folder = fs.mkdtempSync(path.join(os.tmpdir(), `ferrows-${name}-`));
    this.certificate = tls ? certificate.make({ leaf: true }) : null;
    if (config !== undefined) {
      const file = path.join(this._folder, 'engine.conf');
      fs.writeFileSync(file, config, { mode: 0o600 });
      this._args = [...args, '--config', file];
    }
    this._child = null;
    this.port = 0;
  }

  async start() {
    if (this.port === 0) this.port = await freePort();
    const args = this.name === 'redis' ? this._redisArgs() : this._natsArgs();
    this._child = spawn(PROGRAMS[this.name], [...args, ...this._args], { stdio: 'ignore' });
    this._child.once('exit', () => (this._child = null));
    await listening(this.port);
    return this;
  }

  _redisArgs() {
    const args = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this._folder];
    if (this._password !== undefined) args.push('--requirepass', this._password);
    if (this.certificate === null) return [...args, '--port', String(this.port)];
    const { key, cert } = this._writeCertificate();
    args.push('--port', '0', '--tls-port', String(this.port), '--tls-auth-clients', 'no');
    return [...args, '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  }

  _natsArgs() {
    const args = ['--addr', '127.0.0.1', '--port', String(this.port)];
    if (this._jetstream) args.push('--jetstream', '--store_dir', this._folder);
    if (this._password !== undefined) args.push('--user', 'ferrows', '--pass', this._password);
    if (this.certificate === null) return args;
    const { key, cert } = this._writeCertificate();
    return [...args, '--tls', '--tlscert', cert, '--tlskey', key];
  }

  _writeCertificate() {
    const files = {};
    for (const name of ['key', 'cert']) {
      files[name] = path.join(this._folder, `${name}.pem`);
      fs.writeFileSync(files[name], this.certificate[name], { mode: 0o600 });
    }
    return files;
  }

  /** Its URL, without credentials. */
  get url() {
    const schemes =
      this.name === 'redis' ? { plain: 'redis', tls: 'rediss' } : { plain: 'nats', tls: 'tls' };
    return `${this.certificate === null ? schemes.plain : schemes.tls}://127.0.0.1:${this.port}`;
  }

  /** Ends it as a machine does that loses its power. */
  async kill() {
    const { _child: child } = this;
    if (child === null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  }

  /** What it kept is gone. It must not run. */
  forget() {
    fs.rmSync(path.join(this._folder, 'jetstream'), { recursive: true, force: true });
  }

  /** Stops it without ending it, or lets it go on. */
  signal(name) {
    this._child.kill(name);
  }

  async remove() {
    await this.kill();
    fs.rmSync(this._folder, { recursive: true, force: true });
  }
}

module.exports = { Engine, listening, withEngine };
