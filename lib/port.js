// Whether a port may be listened on natively.
//
// Owns: what of the options, the process and Node's HTTP module speaks against it. Called
// by websocket-server.js. Runs on: js. Tests: __test__/differential/http-server.test.js.

'use strict';

const cluster = require('cluster');
const diagnostics = require('diagnostics_channel');
const http = require('http');
const net = require('net');

// What tracers replace to see servers and their connections.
const WATCHED = ['emit', 'listen', 'on', 'addListener'];
const { createServer, Server } = http;
const ORIGINALS = WATCHED.map((name) => Server.prototype[name]);
// Published for each connection, and for each plain request.
const CHANNELS = ['net.server.socket', 'http.server.request.start'];

/**
 * @param {{port: *}} options
 * @return {Boolean}
 */
function suitsListener({ port }) {
  const isPlain = (typeof port === 'number' || typeof port === 'string') && /^\d+$/.test(port);
  // Cluster workers share sockets of the primary's; Bun's servers cannot take one over later.
  return (
    isPlain && Number(port) <= 65535 && !cluster.isWorker && !process.versions.bun && !isWatched()
  );
}

/** Whether somebody wants to see what HTTP servers do. */
function isWatched() {
  return (
    http.createServer !== createServer ||
    http.Server !== Server ||
    WATCHED.some((name, index) => Server.prototype[name] !== ORIGINALS[index]) ||
    // Whoever came first.
    [Server.prototype, net.Server.prototype].some((prototype) =>
      Object.hasOwn(prototype, 'emit')
    ) ||
    CHANNELS.some((name) => diagnostics.channel(name).hasSubscribers)
  );
}

module.exports = { suitsListener };
