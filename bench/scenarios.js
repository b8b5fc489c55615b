// What is measured: what the load generator does, what the server's handler
// does, and the ratios to ws that are aimed at (verdicts.js reads them).
//
// `bun: false` marks what Bun's own API cannot do or does another way. `share`
// names the number by which settings of FERROWS_IO are compared, if not the first aim's.

'use strict';

const BUSY = 64;
const SAME = 0.99;

const echo = (connections, inflight, size) => ({
  mode: 'echo',
  args: ['--connections', connections, '--inflight', inflight, '--size', size]
});

// Long enough for the engines to compile the handlers at low rates, too.
const paced = (rate) => ({
  mode: 'paced',
  args: ['--connections', 1000, '--rate', rate, '--warmup', 2],
  paced: true,
  share: 'allMicros'
});

const fanout = (handler) => ({
  mode: 'fanout',
  args: ['--connections', 1000, '--inflight', 4],
  environment: { HANDLER: handler },
  ahead: 'bun',
  aims: { perSecond: 6.5, allMicros: 1 / 6 }
});

const published = (args, environment = {}) => ({
  mode: 'fanout',
  args: ['--connections', 1000, ...args],
  environment: { HANDLER: 'publish', ...environment },
  ahead: 'bun',
  lead: 1.2,
  aims: { perSecond: 8 }
});

const burning = (micros) => ({
  ...echo(BUSY, 1, 64),
  environment: { HANDLER: 'burn', BURN: String(micros) }
});

const overTls = ({ mode, args }) => ({
  mode,
  args: [...args, '--tls', 1],
  environment: { TLS: '1' }
});

// Sockets that stay with Node.
const onStreams = (scenario) => ({
  ...scenario,
  environment: { FERROWS_TRANSPORT: 'stream' },
  bun: false
});

const compressed = ({ mode, args }, takeover) => ({
  mode,
  args: [...args, '--deflate', takeover ? 'takeover' : 'no-takeover'],
  environment: { DEFLATE: takeover ? 'takeover' : 'no-takeover' }
});

// It is never to be slower than ws, nor to cost more.
const STREAM_AIMS = { perSecond: 1, allMicros: 1 };

const named = (what, connections) =>
  `${what}, ${connections} connection${connections === 1 ? '' : 's'}`;

const pingPong = echo(1, 1, 64);
const many = echo(BUSY, 1, 64);

module.exports = [
  {
    name: '1 connection, ping-pong',
    ...pingPong,
    aims: { perSecond: 1.3, allMicros: 0.7, p99: 1 }
  },
  ...[1000, 5000, 20000].map((rate) => ({
    name: `paced, 1000 connections, ${rate}/s`,
    ...paced(rate),
    aims: { perSecond: SAME, allMicros: 0.6, p99: 1.1 }
  })),
  { name: '64 connections', ...many, aims: { perSecond: 2.3, allMicros: 0.5, p99: 1 } },
  { name: '500 connections', ...echo(500, 1, 64), aims: { perSecond: 2.4, allMicros: 0.45 } },
  {
    name: '64 connections, 16 in flight',
    ...echo(64, 16, 64),
    aims: { perSecond: 13, allMicros: 1 / 12 }
  },
  { name: '64 connections, 4 KiB', ...echo(64, 1, 4096), aims: { perSecond: 2.3, allMicros: 0.5 } },
  {
    name: '16 connections, 64 KiB, 4 in flight',
    ...echo(16, 4, 65536),
    aims: { perSecond: 1.8, allMicros: 0.6 }
  },
  {
    name: '4 connections, 1 MiB',
    ...echo(4, 1, 1048576),
    aims: { perSecond: 1.2, allMicros: 0.75 }
  },
  { name: 'fan-out to 1000 clients', ...fanout('fanout') },
  { name: 'fan-out to 1000 clients from a timer', ...fanout('fanout-timer') },
  { name: 'fan-out to 1000 clients from an async handler', ...fanout('fanout-async') },
  { name: 'publish 64 B to 1000 subscribers', ...published(['--inflight', 4]) },
  {
    name: 'publish to 10000 topics of 10',
    ...published(['--inflight', 64, '--answers', 10], { HANDLER: 'topics' }),
    aims: { perSecond: 2 }
  },
  {
    name: 'publish 2 KiB compressed to 1000 subscribers',
    ...compressed(published(['--inflight', 4, '--size', 2048]), false),
    ahead: 'bun',
    aims: { perSecond: 8, allMicros: 1 / 8 },
    environment: { HANDLER: 'publish', DEFLATE: 'no-takeover' }
  },
  { name: 'handler burns 10 us, 64 connections', ...burning(10), aims: { perSecond: 1.4 } },
  { name: 'handler burns 50 us, 64 connections', ...burning(50), aims: { perSecond: 1.4 } },
  {
    name: 'compressed, 64 connections, 2 KiB',
    ...compressed(echo(64, 1, 2048), false),
    aims: { perSecond: 3.5 }
  },
  {
    name: 'compressed with context takeover, 64 connections, 2 KiB',
    ...compressed(echo(64, 1, 2048), true),
    aims: { perSecond: 3.5 }
  },
  {
    name: 'one CPU, ping-pong',
    ...pingPong,
    oneCpu: true,
    aims: { perSecond: 1.3, allMicros: 0.7, p99: 1.1 }
  },
  {
    name: 'one CPU, 64 connections',
    ...many,
    oneCpu: true,
    aims: { perSecond: 2.1, allMicros: 0.7, p99: 1.1 }
  },
  {
    name: 'one CPU, paced, 1000 connections, 5000/s',
    ...paced(5000),
    oneCpu: true,
    aims: { perSecond: SAME, allMicros: 0.7, p99: 1.1 }
  },
  {
    name: '5000 clients in one process',
    clients: 5000,
    bun: false,
    aims: { perSecond: 2, allMicros: 0.6, residentEach: 1 }
  },
  {
    name: '8000 idle connections',
    mode: 'idle',
    args: ['--connections', 8000],
    aims: { residentEach: 1 / 4 }
  },
  {
    name: '1000 idle connections that took their context over',
    ...compressed({ mode: 'idle', args: ['--connections', 1000, '--size', 2048] }, true),
    aims: { residentEach: 1 / 4 }
  },
  {
    name: 'new connections',
    mode: 'connect',
    args: ['--connections', 64],
    aims: { perSecond: 4 }
  },
  {
    name: 'send with a callback, 100000 times',
    mode: 'bursts',
    args: ['--answers', 100001],
    environment: { HANDLER: 'callbacks', SENDS: '100000' },
    bun: false,
    aims: { perSecond: 1 }
  },
  ...[1, 64, 500].flatMap((connections) => [
    { ...overTls(echo(connections, 1, 64)), name: named('TLS', connections), aims: STREAM_AIMS },
    {
      ...overTls(echo(connections, 1, 16384)),
      name: `${named('TLS', connections)}, 16 KiB`,
      aims: STREAM_AIMS
    },
    {
      ...onStreams(echo(connections, 1, 64)),
      name: named('stream transport', connections),
      aims: STREAM_AIMS
    }
  ])
];
