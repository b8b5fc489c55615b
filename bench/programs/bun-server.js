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

const TOPICS = 10000;
const TOPICS_EACH = 100;
let clients = 0;
let dice = 1;

/** As in server.js. */
function anyTopic() {
  dice = (Math.imul(dice, 1103515245) + 12345) >>> 0;
  return `topic ${(dice >>> 8) % TOPICS}`;
}

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
  },
  publish: (ws, data) => server.publish(TOPIC, data, DEFLATE !== undefined),
  topics: (ws, data) => server.publish(anyTopic(), data)
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
      if (HANDLER.startsWith('fanout') || HANDLER === 'publish') ws.subscribe(TOPIC);
      if (HANDLER !== 'topics') return;
      const first = (clients++ * TOPICS_EACH) % TOPICS;
      for (let index = 0; index < TOPICS_EACH; index++) ws.subscribe(`topic ${first + index}`);
    },
    message: handlers[HANDLER]
  }
});

console.log(server.port);
process.stdin.on('end', () => process.exit()).resume();
