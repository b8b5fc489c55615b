// What is measured: the arguments of the load generator, the number that
// counts, and the ratio to ws that is aimed at.

'use strict';

const echo = (connections, inflight, size) => ({
  mode: 'echo',
  args: ['--connections', connections, '--inflight', inflight, '--size', size]
});

const overTls = ({ mode, args }) => ({
  mode,
  args: [...args, '--tls', 1],
  environment: { TLS: '1' }
});

const compressed = ({ mode, args }, takeover) => ({
  mode,
  args: [...args, '--deflate', takeover ? 'takeover' : 'no-takeover'],
  environment: { DEFLATE: '1' }
});

module.exports = [
  { name: '1 connection, ping-pong', ...echo(1, 1, 64), target: 1 },
  { name: '64 connections', ...echo(64, 1, 64), target: 1.5, cpuTarget: 1 / 8 },
  { name: '500 connections', ...echo(500, 1, 64), target: 2, cpuTarget: 1 / 15 },
  { name: '64 connections, 16 in flight', ...echo(64, 16, 64), target: 12, cpuTarget: 1 / 40 },
  { name: '64 connections, 4 KiB', ...echo(64, 1, 4096), target: 1.5, cpuTarget: 1 / 4 },
  {
    name: '16 connections, 64 KiB, 4 in flight',
    ...echo(16, 4, 65536),
    target: 1.3,
    cpuTarget: 1 / 3
  },
  { name: '4 connections, 1 MiB', ...echo(4, 1, 1048576), target: 1.2, cpuTarget: 1 / 3 },
  {
    name: 'fan-out to 1000 clients',
    mode: 'fanout',
    args: ['--connections', 1000, '--inflight', 4],
    environment: { FANOUT: '1' },
    target: 5,
    cpuTarget: 1 / 40
  },
  {
    name: '8000 idle connections',
    mode: 'idle',
    args: ['--connections', 8000],
    measure: 'residentEach',
    unit: 'KiB each',
    target: 1 / 4
  },
  {
    name: 'compressed, 64 connections, 2 KiB',
    ...compressed(echo(64, 1, 2048), false),
    target: 3,
    cpuTarget: 1 / 20
  },
  {
    name: 'compressed with context takeover, 64 connections, 2 KiB',
    ...compressed(echo(64, 1, 2048), true),
    target: 2
  },
  {
    name: '1000 idle connections that took their context over',
    ...compressed({ mode: 'idle', args: ['--connections', 1000, '--size', 2048] }, true),
    measure: 'residentEach',
    unit: 'KiB each',
    target: 1 / 4
  },
  { name: 'TLS, 64 connections', ...overTls(echo(64, 1, 64)), target: 1 },
  { name: 'TLS, 64 connections, 16 KiB', ...overTls(echo(64, 1, 16384)), target: 1 },
  { name: '5000 clients in one process', clients: 5000, target: 1.5, cpuTarget: 1 / 6 },
  { name: 'new connections', mode: 'connect', args: ['--connections', 64], target: 5 }
];
