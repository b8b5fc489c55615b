// A proxy before an engine, for one process: what it does to the engine happens to that process only.

'use strict';

const net = require('net');
const { once } = require('events');

const { freePort } = require('./ports');

class EngineProxy {
  /** @param {Number} target The engine's port */
  constructor(target) {
    this._target = target;
    this._pairs = new Set();
    this._server = null;
    this.port = 0;
    /** Milliseconds that the engine's answers take longer. */
    this.delay = 0;
  }

  async start() {
    if (this.port === 0) this.port = await freePort();
    this._server = net.createServer((near) => this._connect(near));
    this._server.listen(this.port, '127.0.0.1');
    await once(this._server, 'listening');
    return this;
  }

  _connect(near) {
    const far = net.connect(this._target, '127.0.0.1');
    const pair = { near, far };
    this._pairs.add(pair);
    const end = () => {
      near.destroy();
      far.destroy();
      this._pairs.delete(pair);
    };
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => {
      if (this.delay === 0) near.write(data);
      else setTimeout(() => near.write(data), this.delay).unref();
    });
  }

  /** Cuts all connections and accepts none. */
  async cut() {
    const { _server: server } = this;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const { near, far } of this._pairs) {
      near.destroy();
      far.destroy();
    }
    await closed;
  }
}

module.exports = { EngineProxy };
