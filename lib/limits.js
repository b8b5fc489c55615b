// What a server wants of its connections beyond what ws knows: heartbeats and limits.
//
// Owns: reading and checking the options, which happens before a server starts; what
// connections that stay with Node share. Those in a reactor get their part through
// settings.js. Used by websocket-server.js and the transports. Runs on: js.
// Tests: __test__/operations.

'use strict';

const Heartbeats = require('./heartbeats');
const { checkInteger, checkObject } = require('./option-checks');

// As engine.io's; below the 60 s after which common proxies cut silent connections.
const HEARTBEAT_INTERVAL = 25000;
const HEARTBEAT_TIMEOUT = 20000;
// Counts and milliseconds: what a timer takes.
const MOST = 2 ** 31 - 1;

class Limits {
  /**
   * @param {Object} options Of a server
   * @throws {TypeError|RangeError} On a value that is none
   */
  constructor(options) {
    /** @type {?{interval: Number, timeout: Number}} In milliseconds */
    this.heartbeat = readHeartbeat(options.heartbeat);
    /** How many connections may be open at a time. */
    this.maxConnections = readCount('maxConnections', options.maxConnections);
    this._heartbeats = null;
  }

  /** Looks after a connection that stays with Node. */
  watch(transport) {
    if (this.heartbeat === null) return;
    if (this._heartbeats === null) this._heartbeats = new Heartbeats(this.heartbeat);
    this._heartbeats.add(transport);
  }

  /** Such a connection is over. */
  forget(transport) {
    if (this._heartbeats !== null) this._heartbeats.remove(transport);
  }
}

function isOff(value) {
  return value === undefined || value === null || value === false;
}

function readCount(name, given) {
  return isOff(given) ? Infinity : checkInteger(name, given, 1, MOST);
}

function readHeartbeat(given) {
  if (isOff(given)) return null;
  const fields = { interval: HEARTBEAT_INTERVAL, timeout: HEARTBEAT_TIMEOUT };
  const heartbeat = checkObject('heartbeat', given, fields);
  for (const name of Object.keys(fields)) {
    checkInteger(`heartbeat.${name}`, heartbeat[name], 1, MOST);
  }
  return heartbeat;
}

module.exports = Limits;
