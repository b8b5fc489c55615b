// Ports for programs that must be told one before they listen.
//
// For tests that listen again, docs/program.js, docs/nginx.js and interop/proxies.test.js.
// Outside of the ranges that systems take the ports of outgoing connections from: those of
// a busy machine would come between, and whoever tries such a port while nobody listens can
// be connected to itself.

'use strict';

const net = require('net');
const { once } = require('events');
const { randomInt } = require('crypto');

const [FIRST, LAST] = [12000, 20000];

/** @return {Promise<Number>} A port that nobody listens on */
async function freePort() {
  for (;;) {
    const port = randomInt(FIRST, LAST);
    const server = net.createServer().listen(port);
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false
    );
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

module.exports = { freePort };
