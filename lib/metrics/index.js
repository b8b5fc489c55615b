// What `wss.metrics()` returns.
//
// Owns: the shape, which docs/api.md promises. Called by websocket-server.js and
// prometheus.js. Runs on: js. INVARIANT: nothing is counted here: what is asked for seldom
// costs only then. Tests: __test__/operations/metrics.test.js.

'use strict';

const { activities, budget, layout, turnBounds } = require('../bridge');
const { kLimits, kPressed, kTopics, kTransport } = require('../constants');
const { policies } = require('../policies');

const {
  TALLY_DELIVERED,
  TALLY_DROPPED,
  TALLY_PINGS_RECEIVED,
  TALLY_PINGS_SENT,
  TALLY_PONGS_RECEIVED,
  TALLY_PONGS_SENT,
  TALLY_RECEIVED,
  TALLY_RECEIVED_BYTES,
  TALLY_SENT,
  TALLY_SENT_BYTES
} = layout;

// Microseconds in a second.
const MICROSECONDS = 1e6;

/**
 * @param {WebSocketServer} wss
 * @param {Set<WebSocket>} connections All of its connections
 * @return {Object} See `Metrics` in index.d.ts
 */
function metricsOf(wss, connections) {
  const { [kTopics]: topics } = wss;
  const { counts } = wss.options[kLimits];
  // What was sent in this tick is given to the sockets first.
  const numbers = counts.read();
  return {
    connections: {
      current: connections.size,
      accepted: counts.accepted,
      closed: counts.closed,
      refused: { ...counts.refused }
    },
    received: {
      messages: numbers[TALLY_RECEIVED],
      bytes: numbers[TALLY_RECEIVED_BYTES],
      pings: numbers[TALLY_PINGS_RECEIVED],
      pongs: numbers[TALLY_PONGS_RECEIVED]
    },
    sent: {
      messages: numbers[TALLY_SENT],
      bytes: numbers[TALLY_SENT_BYTES],
      pings: numbers[TALLY_PINGS_SENT],
      pongs: numbers[TALLY_PONGS_SENT]
    },
    dropped: droppedIn(numbers),
    backpressure: backpressureOf(connections),
    topics: {
      current: topics.size,
      subscriptions: counts.subscriptions,
      publishes: counts.publishes,
      matched: counts.matched,
      delivered: numbers[TALLY_DELIVERED]
    },
    backbone: topics.backbone === null ? null : backboneIn(topics.backbone.counts),
    thread: threadNow()
  };
}

function droppedIn(numbers) {
  const dropped = { messages: 0, bytes: 0, policies: {} };
  for (const [name, number] of Object.entries(policies)) {
    if (name === 'buffer') continue;
    const at = TALLY_DROPPED + 2 * number;
    const [messages, bytes] = numbers.subarray(at, at + 2);
    dropped.policies[name] = { messages, bytes };
    dropped.messages += messages;
    dropped.bytes += bytes;
  }
  return dropped;
}

function backpressureOf(connections) {
  const sum = { connections: 0, bytes: 0 };
  for (const websocket of connections) {
    if (websocket[kPressed]) sum.connections++;
    sum.bytes += websocket[kTransport].bufferedAmount;
  }
  return sum;
}

function backboneIn({ connects, lag, ...counts }) {
  return { ...counts, reconnects: Math.max(connects - 1, 0), lag: lag / MICROSECONDS };
}

/** What all servers and clients of this thread share. */
function threadNow() {
  const { limit, waiting } = budget();
  const reactors = activities().map(({ driver, handOvers, inline, worker }) => ({
    driver,
    handOvers,
    turns: { inline: turnsOf(inline), worker: turnsOf(worker) }
  }));
  return { inbound: { bytes: waiting, limit }, reactors };
}

function turnsOf({ classes, longest, total }) {
  const bounds = [...turnBounds(), Infinity];
  let count = 0;
  const histogram = bounds.map((upTo, at) => ({ upTo, count: (count += classes[at]) }));
  return { count, seconds: total, longest, histogram };
}

module.exports = metricsOf;
