/* global Bun */
// The same server in Bun's own API: bun bun-server.js. Prints its port.
//
// Fan-out is Bun's native publish. There is no callback of send(), so there is no
// such handler. Variables as for server.js.

'use strict';

const burn = require('./burn');

const { BURN, DEFLATE, HANDLER = 'echo', TLS } = process.env;
const TOPIC = 'all';
// No message of the benchmarks may be dropped for being too much.
const ROOM = 64 * 1024 * 1024;

const publish = (data) => server.publish(TOPIC, data);

const handlers = {
  echo: (ws, data) => ws.send(data, DEFLATE !== undefined),
  burn(ws, data) {
    burn(BURN);
    ws.send(data);
  },
  fanout: (ws, data) => publish(data),
  'fanout-timer': (ws, data) => setTimeout(publish, 1, data),
  async 'fanout-async'(ws, data) {
    await null;
    publish(data);
  }
};

function compression() {
  if (DEFLATE === undefined) return false;
  const kind = DEFLATE === 'takeover' ? '32KB' : 'shared';
  return { compress: kind, decompress: kind };
}

const server = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  tls: TLS === undefined ? undefined : require('../../__test__/support/certificate').make(),
  fetch: (request, self) =>
    self.upgrade(request) ? undefined : new Response(null, { status: 426 }),
  websocket: {
    backpressureLimit: ROOM,
    idleTimeout: 0,
    perMessageDeflate: compression(),
    sendPings: false,
    open(ws) {
      if (HANDLER.startsWith('fanout')) ws.subscribe(TOPIC);
    },
    message: handlers[HANDLER]
  }
});

console.log(server.port);
process.stdin.on('end', () => process.exit()).resume();
