// Metrics for Prometheus: as text, and as metrics that a registry of prom-client takes.
//
// Owns: names, types and help texts, the text exposition format 0.0.4. Called by
// websocket-server.js. prom-client is never loaded here: a registry asks whatever is
// registered by its methods. Runs on: js. Tests: __test__/operations/prometheus.test.js.

'use strict';

const WRONG_SERVERS = 'The argument must be a WebSocketServer, or an object of several';

/** One sample a server: [name, type, help, value of a server's metrics]. */
const SIMPLE = [
  ['connections', 'gauge', 'Open connections', (m) => m.connections.current],
  ['connections_accepted_total', 'counter', 'Upgrades accepted', (m) => m.connections.accepted],
  ['connections_closed_total', 'counter', 'Connections closed', (m) => m.connections.closed],
  ['received_messages_total', 'counter', 'Messages received', (m) => m.received.messages],
  ['received_bytes_total', 'counter', 'Bytes of messages received', (m) => m.received.bytes],
  ['received_pings_total', 'counter', 'Pings received', (m) => m.received.pings],
  ['received_pongs_total', 'counter', 'Pongs received', (m) => m.received.pongs],
  ['sent_messages_total', 'counter', 'Messages given to sockets', (m) => m.sent.messages],
  ['sent_bytes_total', 'counter', 'Bytes of messages given to sockets', (m) => m.sent.bytes],
  ['sent_pings_total', 'counter', 'Pings sent', (m) => m.sent.pings],
  ['sent_pongs_total', 'counter', 'Pongs sent', (m) => m.sent.pongs],
  [
    'backpressured_connections',
    'gauge',
    'Connections for which more waits than may',
    (m) => m.backpressure.connections
  ],
  ['queued_bytes', 'gauge', 'Bytes that wait to be sent', (m) => m.backpressure.bytes],
  ['topics', 'gauge', 'Topics with subscribers', (m) => m.topics.current],
  ['subscriptions', 'gauge', 'Subscriptions', (m) => m.topics.subscriptions],
  ['publishes_total', 'counter', 'Calls of publish()', (m) => m.topics.publishes],
  [
    'published_matches_total',
    'counter',
    'Subscribers that published messages were for',
    (m) => m.topics.matched
  ],
  [
    'published_deliveries_total',
    'counter',
    'Published messages given to sockets',
    (m) => m.topics.delivered
  ]
];

/** The same for servers with a backbone. */
const OF_BACKBONE = [
  [
    'backbone_connected',
    'gauge',
    'Whether the engine is connected',
    (b) => (b.state === 'connected' ? 1 : 0)
  ],
  ['backbone_reconnects_total', 'counter', 'Times it was connected again', (b) => b.reconnects],
  ['backbone_lag_seconds', 'gauge', 'How long the engine took for its last answer', (b) => b.lag],
  ['backbone_topics', 'gauge', 'Topics wanted from the engine', (b) => b.topics],
  ['backbone_sent_messages_total', 'counter', 'Messages sent to the engine', (b) => b.sent],
  ['backbone_sent_bytes_total', 'counter', 'Bytes sent to the engine', (b) => b.sentBytes],
  ['backbone_received_messages_total', 'counter', 'Messages from the engine', (b) => b.received],
  ['backbone_received_bytes_total', 'counter', 'Bytes from the engine', (b) => b.receivedBytes],
  ['backbone_dropped_messages_total', 'counter', 'Messages its queue dropped', (b) => b.dropped],
  ['backbone_dropped_bytes_total', 'counter', 'Bytes its queue dropped', (b) => b.droppedBytes],
  ['backbone_gaps_total', 'counter', 'Gaps that subscribers were told of', (b) => b.gaps],
  ['backbone_foreign_messages_total', 'counter', 'Messages that are not ours', (b) => b.foreign],
  ['backbone_queued_messages', 'gauge', 'Messages that wait for the engine', (b) => b.waiting],
  ['backbone_queued_bytes', 'gauge', 'Bytes that wait for the engine', (b) => b.waitingBytes]
];

/**
 * @param {Array<[?String, Object]>} servers Names and metrics
 * @return {Array<{name: String, type: String, help: String, samples: Array}>} Each sample is
 *     [suffix, labels, value]
 */
function families(servers) {
  if (servers.length === 0) return [];
  const of = (labels, value) => ['', labels, value];
  const each = (read) =>
    servers.flatMap(([name, metrics]) => read(metrics, name === null ? {} : { server: name }));
  const list = SIMPLE.map(([name, type, help, read]) => {
    const samples = each((metrics, labels) => [of(labels, read(metrics))]);
    return { name, type, help, samples };
  });
  list.push({
    name: 'connections_refused_total',
    type: 'counter',
    help: 'Upgrades refused, by reason',
    samples: each(({ connections }, labels) =>
      Object.entries(connections.refused).map(([reason, count]) => of({ ...labels, reason }, count))
    )
  });
  for (const what of ['messages', 'bytes']) {
    list.push({
      name: `dropped_${what}_total`,
      type: 'counter',
      help: `${what === 'bytes' ? 'Bytes of messages' : 'Messages'} that a policy dropped`,
      samples: each(({ dropped }, labels) =>
        Object.entries(dropped.policies).map(([policy, { [what]: count }]) =>
          of({ ...labels, policy }, count)
        )
      )
    });
  }
  for (const [name, type, help, read] of OF_BACKBONE) {
    const samples = each(({ backbone }, labels) =>
      backbone === null ? [] : [of(labels, read(backbone))]
    );
    if (samples.length > 0) list.push({ name, type, help, samples });
  }
  list.push(...ofThread(servers[0][1].thread));
  return list;
}

/** What all servers of a thread share. */
function ofThread({ inbound, reactors }) {
  const numbered = reactors.map((reactor, index) => [{ reactor: String(index) }, reactor]);
  const turns = numbered.flatMap(([labels, reactor]) =>
    Object.entries(reactor.turns).map(([thread, times]) => [{ ...labels, thread }, times])
  );
  return [
    {
      name: 'inbound_bytes',
      type: 'gauge',
      help: 'Bytes that wait for JavaScript',
      samples: [['', {}, inbound.bytes]]
    },
    {
      name: 'inbound_limit_bytes',
      type: 'gauge',
      help: 'Bytes above which nothing more is read',
      samples: [['', {}, inbound.limit]]
    },
    {
      name: 'reactor_driven_by_worker',
      type: 'gauge',
      help: 'Whether a worker drives a reactor, and not the thread of JavaScript',
      samples: numbered.map(([labels, { driver }]) => ['', labels, driver === 'worker' ? 1 : 0])
    },
    {
      name: 'reactor_hand_overs_total',
      type: 'counter',
      help: 'How often who drives has changed',
      samples: numbered.map(([labels, { handOvers }]) => ['', labels, handOvers])
    },
    {
      name: 'turn_seconds',
      type: 'histogram',
      help: 'How long turns of a reactor took',
      samples: turns.flatMap(([labels, { count, histogram, seconds }]) => [
        ...histogram.map((bucket) => [
          '_bucket',
          { ...labels, le: numberText(bucket.upTo) },
          bucket.count
        ]),
        ['_sum', labels, seconds],
        ['_count', labels, count]
      ])
    },
    {
      name: 'turn_longest_seconds',
      type: 'gauge',
      help: 'How long the longest turn of a reactor took',
      samples: turns.map(([labels, { longest }]) => ['', labels, longest])
    }
  ].filter(({ samples }) => samples.length > 0);
}

/** Names and servers, of one or an object of several. */
function named(servers) {
  const isObject = typeof servers === 'object' && servers !== null;
  const list =
    isObject && typeof servers.metrics === 'function' ? [[null, servers]] : entriesOf(servers);
  if (list.every(([, server]) => server && typeof server.metrics === 'function')) return list;
  throw Object.assign(new TypeError(WRONG_SERVERS), { code: 'ERR_INVALID_ARG_TYPE' });
}

function entriesOf(servers) {
  return typeof servers === 'object' && servers !== null ? Object.entries(servers) : [[null, null]];
}

function collect(list) {
  return families(list.map(([name, server]) => [name, server.metrics()])).map((family) => ({
    ...family,
    name: `ferrows_${family.name}`
  }));
}

/**
 * @param {(WebSocketServer|Object<String, WebSocketServer>)} servers
 * @return {String} In the text exposition format 0.0.4
 * @throws {TypeError} On something else
 */
function metricsText(servers) {
  return collect(named(servers))
    .map(({ help, name, samples, type }) => {
      const lines = samples.map(
        ([suffix, labels, value]) => `${name}${suffix}${labelText(labels)} ${numberText(value)}\n`
      );
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    })
    .join('');
}

/**
 * Has a registry of prom-client show what servers count.
 *
 * @param {{registerMetric: Function}} registry
 * @param {(WebSocketServer|Object<String, WebSocketServer>)} servers
 * @throws {TypeError} On something else
 */
function registerMetrics(registry, servers) {
  const list = named(servers);
  // A registry asks metric by metric: what it asks for at once is of one moment.
  let now = null;
  const current = () => {
    if (now === null) {
      now = new Map(collect(list).map((family) => [family.name, family]));
      queueMicrotask(() => (now = null));
    }
    return now;
  };
  for (const { help, name, type } of current().values()) {
    registry.registerMetric({
      name,
      help,
      type,
      aggregator: 'sum',
      get() {
        const family = current().get(name);
        const values = family === undefined ? [] : family.samples.map(valueOf);
        return { name, help, type, values, aggregator: 'sum' };

        function valueOf([suffix, labels, value]) {
          return { value, labels, metricName: `${name}${suffix}` };
        }
      },
      reset() {}
    });
  }
}

function labelText(labels) {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text) {
  return text.replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
}

function numberText(value) {
  return value === Infinity ? '+Inf' : String(value);
}

module.exports = { metricsText, registerMetrics };
