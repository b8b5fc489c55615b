// Metrics for Prometheus: text that its parsers take, and metrics that prom-client's registries take.

'use strict';

const { once } = require('events');

const prometheus = require('prom-client');

const WebSocket = require('../..');
const { serve } = require('../support/libraries');

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

async function served(options) {
  const server = await serve(WebSocket, 'port', options);
  cleanUp.push(server.close);
  return server;
}

const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"/y;
const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;

/**
 * Reads the text format as the specification has it; throws on anything else.
 *
 * @return {Map<String, {type: String, help: String, samples: Array}>}
 */
function parse(text) {
  if (!text.endsWith('\n')) throw new Error('no line feed at the end');
  const families = new Map();
  let family = null;
  // Empty lines mean nothing.
  for (const line of text.split('\n').filter(Boolean)) {
    const [, keyword, name, rest] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) || [];
    if (keyword === 'HELP') {
      if (families.has(name)) throw new Error(`${name} twice`);
      families.set(name, (family = { name, help: rest, type: null, samples: [] }));
    } else if (keyword === 'TYPE') {
      if (name !== family.name || family.type !== null) throw new Error(line);
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(line);
      family.type = rest;
    } else {
      family.samples.push(sampleOf(line, family));
    }
  }
  return families;
}

function sampleOf(line, family) {
  const [, name, labelText = '', number] = SAMPLE.exec(line) || [];
  const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  if (!suffixes.some((suffix) => name === family.name + suffix)) throw new Error(line);
  const labels = {};
  let at = 0;
  while (at < labelText.length) {
    LABEL.lastIndex = at;
    const [all, label, value] = LABEL.exec(labelText) || [];
    if (all === undefined || label in labels) throw new Error(line);
    labels[label] = value.replace(/\\(.)/g, (_, sign) => (sign === 'n' ? '\n' : sign));
    at += all.length;
    if (at < labelText.length && labelText[at++] !== ',') throw new Error(line);
  }
  const value = number === '+Inf' ? Infinity : Number(number);
  if (Number.isNaN(value)) throw new Error(line);
  return { name, labels, value };
}

function check(families) {
  for (const { help, name, samples, type } of families.values()) {
    expect(help).not.toBe('');
    expect(samples.length).toBeGreaterThan(0);
    // What naming rules ask for.
    expect(/_total$/.test(name)).toBe(type === 'counter');
    const series = samples.map((sample) => JSON.stringify([sample.name, sample.labels]));
    expect(new Set(series).size).toBe(series.length);
    for (const { value } of samples) expect(value).toBeGreaterThanOrEqual(0);
    if (type === 'histogram') checkHistogram(name, samples);
  }
}

/** Classes add up from the least bound to +Inf, which has the count of all. */
function checkHistogram(name, samples) {
  const groups = new Map();
  for (const { labels, name: sampleName, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(others);
    if (!groups.has(key)) groups.set(key, { buckets: [] });
    const group = groups.get(key);
    if (sampleName === `${name}_bucket`)
      group.buckets.push([le === '+Inf' ? Infinity : +le, value]);
    else group[sampleName.slice(name.length + 1)] = value;
  }
  for (const { buckets, count, sum } of groups.values()) {
    expect(buckets).toEqual([...buckets].sort(([one], [other]) => one - other));
    expect(buckets.map(([, value]) => value)).toEqual(
      buckets.map(([, value]) => value).sort((one, other) => one - other)
    );
    expect(buckets[buckets.length - 1]).toEqual([Infinity, count]);
    expect(sum).toBeGreaterThanOrEqual(0);
  }
}

async function echoed(server, count) {
  server.wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
  const client = new WebSocket(`ws://127.0.0.1:${server.port}`);
  cleanUp.push(() => client.terminate());
  await once(client, 'open');
  for (let i = 0; i < count; i++) {
    client.send('abc');
    await once(client, 'message');
  }
}

test('the text of one server has its numbers and no label for it', async () => {
  const server = await served();
  await echoed(server, 3);
  const families = parse(WebSocket.Server.metricsText(server.wss));
  check(families);
  const one = (name) => families.get(`ferrows_${name}`).samples;
  expect(one('received_messages_total')).toMatchObject([{ labels: {}, value: 3 }]);
  expect(one('sent_bytes_total')).toMatchObject([{ labels: {}, value: 9 }]);
  expect(one('connections')).toMatchObject([{ value: 1 }]);
  expect(
    one('dropped_messages_total')
      .map(({ labels }) => labels.policy)
      .sort()
  ).toEqual(['close', 'drop-newest', 'drop-oldest', 'latest']);
  expect(one('connections_refused_total')).toHaveLength(6);
  expect([...families.keys()].filter((name) => /backbone/.test(name))).toEqual([]);
  expect(families.size).toBe(20 + 1 + 6 - (server.wss.metrics().thread.reactors.length ? 0 : 4));
});

test('several servers stand in one family each, by names that may be anything', async () => {
  const servers = { 'say "hi"\\\n': await served(), plain: await served() };
  await echoed(Object.values(servers)[0], 1);
  const wss = Object.fromEntries(
    Object.entries(servers).map(([name, server]) => [name, server.wss])
  );
  const families = parse(WebSocket.Server.metricsText(wss));
  check(families);
  const { samples } = families.get('ferrows_received_messages_total');
  expect(samples).toMatchObject([
    { labels: { server: 'say "hi"\\\n' }, value: 1 },
    { labels: { server: 'plain' }, value: 0 }
  ]);
  // What a thread has is there once.
  expect(families.get('ferrows_inbound_bytes').samples).toHaveLength(1);
  expect(WebSocket.Server.metricsText({})).toBe('');
});

test('a registry of prom-client shows the same, and what is current', async () => {
  const server = await served();
  const registry = new prometheus.Registry();
  WebSocket.Server.registerMetrics(registry, { chat: server.wss });
  new prometheus.Counter({ name: 'mine_total', help: 'Of the program', registers: [registry] });
  const steady = (text) =>
    [...parse(text).values()]
      .filter(({ name }) => !/turn_|mine_|inbound|hand_over|driven/.test(name))
      .map(({ help, name, samples, type }) => ({ help, name, samples, type }));
  const before = steady(await registry.metrics());
  await echoed(server, 2);
  const text = await registry.metrics();
  check(parse(text));
  expect(steady(text)).toEqual(steady(WebSocket.Server.metricsText({ chat: server.wss })));
  expect(steady(text)).not.toEqual(before);
  expect(text).toMatch(/^mine_total 0$/m);
  registry.resetMetrics();
  expect(await registry.getSingleMetricAsString('ferrows_connections_accepted_total')).toMatch(
    /\{server="chat"\} 1$/m
  );
  expect((await registry.getMetricsAsJSON()).length).toBeGreaterThan(20);
  expect(() => WebSocket.Server.registerMetrics(registry, server.wss)).toThrow(/already/);
});

test('what one scrape shows is of one moment', async () => {
  const server = await served();
  const registry = new prometheus.Registry();
  WebSocket.Server.registerMetrics(registry, server.wss);
  const { metrics } = server.wss;
  let calls = 0;
  server.wss.metrics = function () {
    calls++;
    return metrics.call(this);
  };
  // That of the registration is over.
  await new Promise(setImmediate);
  await registry.metrics();
  expect(calls).toBe(1);
  await registry.metrics();
  expect(calls).toBe(2);
});

test.each([[undefined], [null], ['text'], [{ chat: {} }], [[null]]])(
  '%p is no server',
  (servers) => {
    const error = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    const registry = new prometheus.Registry();
    for (const call of [
      () => WebSocket.Server.metricsText(servers),
      () => WebSocket.Server.registerMetrics(registry, servers)
    ]) {
      let thrown = null;
      try {
        call();
      } catch (caught) {
        thrown = caught;
      }
      expect(thrown).toEqual(error);
    }
  }
);
