// How a server listens: natively, or on a server of Node's.
//
// Owns: what of the options, the process and Node's HTTP module speaks against the former,
// what the latter is told. Called by websocket-server.js. Runs on: js. Tests: __test__/differential/http-server.test.js.

'use strict';

const cluster = require('cluster');
const EventEmitter = require('events');
const diagnostics = require('diagnostics_channel');
const http = require('http');
const net = require('net');

// What tracers replace to see servers and their connections.
const WATCHED = ['emit', 'listen', 'on', 'addListener'];
const { createServer, Server } = http;
const ORIGINALS = WATCHED.map((name) => Server.prototype[name]);
// Who has replaced one before we were loaded: a word of the source of Node's own.
const WORDS = [
  [http.createServer, /\breturn new Server\(opts\b/],
  [net.Server.prototype.listen, /\bnormalizeArgs\b/],
  [EventEmitter.prototype.emit, /\bkErrorMonitor\b/],
  [EventEmitter.prototype.on, /\b_addListener\b/]
];
const WAS_WATCHED =
  process.release.name === 'node' &&
  !process.versions.bun &&
  !process.versions.deno &&
  WORDS.some(([method, word]) => !word.test(method));
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
    WAS_WATCHED ||
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

/** COMPAT(ws 8.23): the callback is a listener of the HTTP server's, which `this` is, if it looks. */
function callListening(wss, callback) {
  const looks = Object.hasOwn(callback, 'prototype') && /\bthis\b|\beval\b/.test(callback);
  callback.call(looks ? wss._server : undefined);
}

/** Answers what is no upgrade. */
function requireUpgrade(request, response) {
  const body = http.STATUS_CODES[426];
  response.writeHead(426, { 'Content-Length': body.length, 'Content-Type': 'text/plain' });
  response.end(body);
}

/** @return {Function} Takes them away again */
function addListeners(emitter, listeners) {
  for (const [event, listener] of Object.entries(listeners)) emitter.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) {
      emitter.removeListener(event, listener);
    }
  };
}

module.exports = { addListeners, callListening, requireUpgrade, suitsListener };
