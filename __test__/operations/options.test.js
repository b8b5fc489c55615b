// What is wrong with an option throws before anything is started.

'use strict';

const net = require('net');
const { once } = require('events');

const WebSocket = require('../..');

const wrong = [
  ['heartbeat', true, TypeError],
  ['heartbeat', 30000, TypeError],
  ['heartbeat', [], TypeError],
  ['heartbeat', { intervall: 1 }, TypeError],
  ['heartbeat', { interval: '30s' }, TypeError],
  ['heartbeat', { interval: 0 }, RangeError],
  ['heartbeat', { interval: 2 ** 31 }, RangeError],
  ['heartbeat', { interval: 1.5 }, RangeError],
  ['heartbeat', { timeout: NaN }, RangeError],
  ['heartbeat', { timeout: null }, TypeError],
  ['inboundLimit', 100, TypeError],
  ['inboundLimit', {}, TypeError],
  ['inboundLimit', { messages: 0, bytes: 0 }, TypeError],
  ['inboundLimit', { messages: -1 }, RangeError],
  ['inboundLimit', { bytes: Infinity }, RangeError],
  ['inboundLimit', { messages: 1, action: 'drop' }, TypeError],
  ['maxBackpressure', 0, RangeError],
  ['maxBackpressure', '1mb', TypeError],
  ['onBackpressure', 'drop-newest', TypeError],
  ['onBackpressure', 'drop', TypeError],
  ['maxInFlight', 0, RangeError],
  ['maxInFlight', true, TypeError],
  ['maxConnections', 0, RangeError],
  ['maxConnections', Infinity, RangeError],
  ['maxConnections', '10', TypeError]
];

describe.each(wrong)('%s: %p', (name, value, Class) => {
  test(`throws a ${Class.name} that names it, and nothing listens`, async () => {
    const probe = net.createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    let error;
    try {
      new WebSocket.Server({ port, host: '127.0.0.1', [name]: value });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(Class);
    expect(error.message).toContain(`"${name}`);
    expect(error.code).toMatch(/^ERR_(INVALID_ARG_TYPE|INVALID_ARG_VALUE|OUT_OF_RANGE)$/);
    const socket = net.connect(port, '127.0.0.1');
    expect((await once(socket, 'error'))[0].code).toBe('ECONNREFUSED');
  });
});

test('the options that the user gave are untouched and show nothing new', () => {
  const given = Object.freeze({ noServer: true, heartbeat: Object.freeze({ interval: 5 }) });
  const wss = new WebSocket.Server(given);
  expect(wss.options.heartbeat).toBe(given.heartbeat);
  expect(Object.getOwnPropertySymbols({ ...wss.options })).toEqual([]);
});
