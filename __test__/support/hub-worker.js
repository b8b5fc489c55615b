// A worker thread with a server that shares topics: does what it is told, and answers.
// For the thread that started it, `HubThread` is the other end.

'use strict';

const https = require('https');
const { once } = require('events');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

class HubThread {
  /** @param {{hub: String, cert: ?{key: Buffer, cert: Buffer}}} options */
  constructor(options) {
    this._worker = new Worker(__filename, { workerData: options });
    this._answers = [];
    this._worker.setMaxListeners(0);
    this._worker.on('message', (answer) => this._answers.shift()(answer));
  }

  /** Calls a function below and resolves with what it returns. */
  call(name, ...args) {
    return new Promise((resolve, reject) => {
      this._answers.push(resolve);
      this._worker.once('error', reject);
      this._worker.postMessage({ name, args });
    });
  }

  /** Ends the thread in the middle of whatever it does. */
  terminate() {
    return this._worker.terminate();
  }
}

function run({ hub, cert }) {
  const WebSocket = require('../..');
  let wss;
  const sockets = [];

  const calls = {
    async listen() {
      if (cert) {
        const server = https.createServer(cert);
        wss = new WebSocket.Server({ server, hub });
        server.listen(0, '127.0.0.1');
        await once(server, 'listening');
      } else {
        wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', hub });
        await once(wss, 'listening');
      }
      wss.on('connection', (ws) => sockets.push(ws));
      return wss.address().port;
    },
    async accepted(count) {
      while (sockets.length < count) await once(wss, 'connection');
    },
    subscribe: (index, topic) => sockets[index].subscribe(topic),
    unsubscribe: (index, topic) => sockets[index].unsubscribe(topic),
    send: (index, data) => sockets[index].send(data),
    sendBlob: (index, data) => sockets[index].send(new Blob([data])),
    fragment: (index, data, fin) => sockets[index].send(data, { fin }),
    giveBack: (index) => sockets[index]._socket._handle.fd > 0,
    close: (index) => sockets[index].close(),
    publish: (topic, data, options) => wss.publish(topic, data, options),
    publishAs: (index, topic, data) => sockets[index].publish(topic, data),
    publishMany(topic, count, prefix) {
      let matched = 0;
      for (let number = 0; number < count; number++) {
        matched += wss.publish(topic, `${prefix}${number}`);
      }
      return matched;
    },
    count: (topic) => wss.subscriberCount(topic),
    topics: () => wss.topics.sort(),
    // This thread's JavaScript does nothing until somebody else says so.
    block(shared) {
      const word = new Int32Array(shared);
      Atomics.store(word, 0, 1);
      Atomics.notify(word, 0);
      return Atomics.wait(word, 0, 1, 20000);
    },
    end() {
      for (const ws of sockets) ws.terminate();
      wss.close();
      if (cert) wss.options.server.close();
      parentPort.unref();
    }
  };

  parentPort.on('message', async ({ name, args }) => {
    parentPort.postMessage(await calls[name](...args));
  });
}

if (!isMainThread && workerData && workerData.hub) run(workerData);

module.exports = { HubThread };
