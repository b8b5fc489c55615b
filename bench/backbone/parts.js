// What the scenarios of the backbone are made of: server processes, clients that count, a proxy
// before the engine that counts what it sends. Used by scenarios.js. Linux: memory is read in /proc.

'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const { fork } = require('child_process');
const { once } = require('events');

const WebSocket = require('ws');

const SERVER = path.join(__dirname, 'server.js');
// Resets the peak of resident memory.
const RESET_PEAK = '5';

/** A process with a server, which answers orders one after the other. */
class Server {
  constructor({ library, node, environment }, url, folder, mode) {
    this._library = library;
    this._child = fork(SERVER, [library, url, folder ?? '', mode], {
      execPath: node,
      env: { ...process.env, ...environment }
    });
    this._ended = once(this._child, 'exit').then(() => {
      throw new Error('the server ended');
    });
    this._ended.catch(() => {});
  }

  static async start(...args) {
    const server = new Server(...args);
    server.port = await server._answer();
    return server;
  }

  get pid() {
    return this._child.pid;
  }

  async _answer() {
    const [{ answer }] = await Promise.race([once(this._child, 'message'), this._ended]);
    return answer;
  }

  ask(order, rest) {
    this._child.send({ order, ...rest });
    return this._answer();
  }

  forgetPeak() {
    fs.writeFileSync(`/proc/${this.pid}/clear_refs`, RESET_PEAK);
  }

  /** MiB */
  memory(field) {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)[1]) / 1024;
  }

  /** A client that is subscribed to the topics of these numbers, and counts what comes. */
  async client(first, last) {
    const isSocketio = this._library !== 'ferrows';
    const where = isSocketio ? 'socket.io/?EIO=4&transport=websocket&' : '?';
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}/${where}topics=${first}-${last}`);
    const client = { ws, count: 0 };
    await once(ws, 'open');
    if (isSocketio) {
      const connected = new Promise((resolve) => {
        ws.on('message', (data) => {
          if (data.toString().startsWith('40')) resolve();
        });
      });
      ws.send('40');
      await connected;
    }
    await this.ask('flush');
    ws.on('message', () => client.count++);
    return client;
  }

  async stop() {
    if (this._child.exitCode === null && this._child.signalCode === null) {
      this._child.kill('SIGKILL');
      await once(this._child, 'close');
    }
  }
}

/** Stands before an engine and counts what it sends: bytes, and how often they show a text. */
class CountingProxy {
  constructor(target, text) {
    this._target = target;
    this._text = Buffer.from(text);
    this.bytes = 0;
    this.messages = 0;
  }

  async start() {
    this._server = net.createServer((near) => {
      const far = net.connect(this._target, '127.0.0.1');
      let tail = Buffer.alloc(0);
      far.on('data', (data) => {
        tail = this._count(Buffer.concat([tail, data]), data.length);
        near.write(data);
      });
      near.on('data', (data) => far.write(data));
      for (const [one, other] of [
        [near, far],
        [far, near]
      ]) {
        one.on('error', () => {});
        one.on('close', () => other.destroy());
      }
    });
    this._server.listen(0, '127.0.0.1');
    await once(this._server, 'listening');
    this.port = this._server.address().port;
    return this;
  }

  // Returns what may be the beginning of another one.
  _count(data, fresh) {
    this.bytes += fresh;
    let from = 0;
    for (;;) {
      const at = data.indexOf(this._text, from);
      if (at < 0) break;
      this.messages++;
      from = at + this._text.length;
    }
    return data.subarray(Math.max(from, data.length - this._text.length + 1));
  }

  stop() {
    this._server.close();
  }
}

module.exports = { CountingProxy, Server };
