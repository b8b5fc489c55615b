// Processes with a server that has a backbone, and clients of theirs.

'use strict';

const path = require('path');
const { EventEmitter, once } = require('events');
const { fork } = require('child_process');

const WebSocket = require('../..');

const WORKER = path.join(__dirname, 'backbone-worker.js');

class ServerProcess {
  /** @param {Object} options Of the server, beside the port */
  constructor(options) {
    this.events = [];
    this._news = new EventEmitter();
    this._pending = new Map();
    this._nextId = 0;
    this.clients = [];
    this._child = fork(WORKER, [JSON.stringify({ options })], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc']
    });
    this.output = '';
    for (const stream of [this._child.stdout, this._child.stderr]) {
      stream.on('data', (data) => (this.output += data));
    }
    this._child.on('message', (message) => this._onMessage(message));
    this.exited = once(this._child, 'exit');
  }

  /** @return {Promise<ServerProcess>} Listening, and connected unless that is not wanted */
  static async start(options, { connected = true } = {}) {
    const server = new ServerProcess(options);
    await once(server._news, 'port');
    if (connected) await server.until((event) => event.type === 'connected');
    return server;
  }

  _onMessage({ event, port, id, result, error }) {
    if (port !== undefined) {
      this.port = port;
      this._news.emit('port');
    } else if (event !== undefined) {
      this.events.push(event);
      this._news.emit('event');
    } else {
      const { resolve, reject } = this._pending.get(id);
      this._pending.delete(id);
      if (error === undefined) resolve(result);
      else reject(Object.assign(new Error(error.message), error));
    }
  }

  /** Runs an action of backbone-worker.js there. */
  ask(action, rest = {}) {
    const id = this._nextId++;
    return new Promise((resolve, reject) => {
      this._pending.set(id, { resolve, reject });
      this._child.send({ id, action, ...rest });
    });
  }

  publish(topic, data, rest = {}) {
    return this.ask('publish', { topic, data, ...rest });
  }

  /** Waits until there was such an event, from the given one on. @return {Object} The event */
  async until(matches, from = 0) {
    for (;;) {
      const event = this.events.slice(from).find(matches);
      if (event !== undefined) return event;
      await once(this._news, 'event');
    }
  }

  /** Waits until there were more than `index` such events. @return {Object} The one at `index` */
  async nth(index, matches) {
    for (;;) {
      const event = this.events.filter(matches)[index];
      if (event !== undefined) return event;
      await once(this._news, 'event');
    }
  }

  /** A client that is subscribed to topics. */
  client(...topics) {
    return this.connect(topics.map((topic) => ['topic', topic]));
  }

  /** A client that is subscribed to a topic, and wants what it missed since a position. */
  recover(topic, since) {
    return this.connect([
      ['topic', topic],
      ['since', since]
    ]);
  }

  /** A client with a query. */
  async connect(query) {
    const ws = new WebSocket(`ws://127.0.0.1:${this.port}/?${new URLSearchParams(query)}`);
    const client = new Client(ws);
    this.clients.push(client);
    await once(ws, 'open');
    return client;
  }

  signal(name) {
    this._child.kill(name);
  }

  async end() {
    for (const { ws } of this.clients) ws.terminate();
    if (this._child.exitCode === null && this._child.signalCode === null) {
      this._child.kill('SIGKILL');
      await this.exited;
    }
  }
}

class Client {
  constructor(ws) {
    this.ws = ws;
    this.messages = [];
    this._news = new EventEmitter();
    ws.on('error', () => {});
    ws.on('message', (data, isBinary) => {
      this.messages.push(isBinary ? data : data.toString());
      this._news.emit('message');
    });
  }

  /** Publishes through its server. */
  publish(topic, data) {
    this.ws.send(`${topic}\n${data}`);
  }

  /** Waits for a message. */
  async until(message) {
    while (!this.messages.includes(message)) await once(this._news, 'message');
  }

  /** Waits for so many. */
  async count(count) {
    while (this.messages.length < count) await once(this._news, 'message');
    return this.messages;
  }
}

module.exports = { ServerProcess };
