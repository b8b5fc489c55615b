// What a server wants of its connections beyond what ws knows: heartbeats and limits.
//
// Owns: reading and checking the options, which happens before a server starts; what
// connections that stay with Node share; what is counted. Those in a reactor get their part through
// settings.js. Used by websocket-server.js and the transports. Runs on: js.
// Tests: __test__/operations.

'use strict';

const Counts = require('./metrics/counts');
const HeldReceivers = require('./held-receivers');
const Heartbeats = require('./heartbeats');
const Throttle = require('./throttle');
const { checkChoice, checkInteger, checkObject, invalidValue } = require('./option-checks');
const { policies } = require('./policies');

// As engine.io's; below the 60 s after which common proxies cut silent connections.
const HEARTBEAT_INTERVAL = 25000;
const HEARTBEAT_TIMEOUT = 20000;
// Counts and milliseconds: what a timer takes.
const MOST = 2 ** 31 - 1;
// What may wait for a peer.
const MOST_BYTES = 2 ** 32 - 1;
const RULE = { maxBackpressure: undefined, onBackpressure: 'buffer' };

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
    /** How many promises of handlers of one connection may be pending while it is read. */
    this.maxInFlight = readCount('maxInFlight', options.maxInFlight);
    /** @type {?{messages: Number, bytes: Number, action: String}} A second; 0 is no limit */
    this.inboundLimit = readInboundLimit(options.inboundLimit);
    /** @type {?{limit: Number, policy: String}} How much may wait for a peer, what becomes of more */
    this.backpressure = readBackpressure(options);
    this._topicPolicy = readTopicPolicy(options.topicPolicy);
    /** What its connections do. */
    this.counts = new Counts();
    this._heartbeats = null;
    this._held = null;
  }

  /**
   * What the server wants of a topic: the program is asked.
   *
   * @param {String} name
   * @return {?{limit: Number, policy: String}} How much of it may wait for a peer
   * @throws {TypeError|RangeError} If the answer is none
   */
  ruleOf(name) {
    const { _topicPolicy: ask } = this;
    const answer = ask === null ? null : ask(name);
    if (isOff(answer)) return null;
    const { maxBackpressure, onBackpressure } = checkObject('topicPolicy()', answer, RULE);
    return {
      limit: checkInteger('topicPolicy().maxBackpressure', maxBackpressure, 1, MOST_BYTES),
      policy: checkChoice('topicPolicy().onBackpressure', onBackpressure, Object.keys(policies))
    };
  }

  /** What counts what comes on a connection that stays with Node, or null. */
  makeThrottle() {
    return this.inboundLimit === null ? null : new Throttle(this.inboundLimit);
  }

  /** Looks after a connection that stays with Node. */
  watch(transport) {
    if (this.heartbeat === null) return;
    if (this._heartbeats === null) this._heartbeats = new Heartbeats(this.heartbeat);
    this._heartbeats.add(transport);
  }

  /** Lets the receiver of such a connection go on at a time. */
  releaseAt(transport, time) {
    if (this._held === null) this._held = new HeldReceivers();
    this._held.releaseAt(transport, time);
  }

  /** Such a connection is over. */
  forget(transport) {
    if (this._heartbeats !== null) this._heartbeats.remove(transport);
    if (this._held !== null) this._held.forget(transport);
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

function readInboundLimit(given) {
  if (isOff(given)) return null;
  const limit = checkObject('inboundLimit', given, { messages: 0, bytes: 0, action: 'pause' });
  checkInteger('inboundLimit.messages', limit.messages, 0, MOST);
  checkInteger('inboundLimit.bytes', limit.bytes, 0, MOST);
  checkChoice('inboundLimit.action', limit.action, ['pause', 'close']);
  if (limit.messages === 0 && limit.bytes === 0) {
    throw invalidValue('inboundLimit', 'must limit "messages" or "bytes"');
  }
  return limit;
}

function readTopicPolicy(given) {
  if (isOff(given)) return null;
  if (typeof given !== 'function') throw invalidValue('topicPolicy', 'must be a function');
  return given;
}

function readBackpressure({ maxBackpressure, onBackpressure, topicPolicy }) {
  const policy = isOff(onBackpressure)
    ? 'buffer'
    : checkChoice('onBackpressure', onBackpressure, Object.keys(policies));
  if (!isOff(maxBackpressure)) {
    return { limit: checkInteger('maxBackpressure', maxBackpressure, 1, MOST_BYTES), policy };
  }
  if (policy !== 'buffer') throw invalidValue('onBackpressure', 'needs "maxBackpressure"');
  // Where topics have limits, what waits has to be known.
  return isOff(topicPolicy) ? null : { limit: MOST_BYTES, policy };
}

module.exports = Limits;
