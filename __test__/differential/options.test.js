// Server options: defaults, coercions and explicit undefined, by what they do.

'use strict';

const http = require('http');
const { once } = require('events');

const { compare } = require('./run');
const { RawPeer, frame } = require('../support/raw-peer');
const { libraries } = require('../support/libraries');

const bye = frame(0x88, Buffer.from([0x03, 0xe8]));

/** Declares a test that sends frames to a server with certain options. */
function behaves(title, options, ...frames) {
  compare(
    title,
    async ({ wss, port, trace, watch }) => {
      const shown = { ...wss.options, WebSocket: wss.options.WebSocket.name };
      delete shown.port;
      trace.push(JSON.stringify(Object.entries(shown).sort()), 'clients' in wss, wss._state);
      const connected = once(wss, 'connection');
      const peer = await RawPeer.open(port);
      const [websocket] = await connected;
      const closed = new Promise((resolve) => websocket.on('close', resolve));
      watch(websocket, trace);
      peer.send(...frames, bye);
      const rest = await peer.rest();
      peer.socket.end();
      await closed;
      trace.push(...rest.map((text) => `peer got ${text}`));
    },
    options
  );
}

const ping = frame(0x89, 'p');
const five = frame(0x82, '12345');
const parts = [frame(0x02, 'a'), frame(0x00, 'b'), frame(0x80, 'c')];

behaves('defaults', {}, ping, five, ...parts);
behaves('autoPong: undefined', { autoPong: undefined }, ping);
behaves('autoPong: 1', { autoPong: 1 }, ping);
behaves('clientTracking: 0', { clientTracking: 0 }, ping);
for (const maxPayload of [
  4,
  '4',
  5,
  4.9,
  -1,
  0,
  undefined,
  null,
  NaN,
  Infinity,
  2 ** 31,
  2 ** 32 + 4
]) {
  behaves(`maxPayload: ${typeof maxPayload} ${maxPayload}`, { maxPayload }, five);
}
for (const maxFragments of [2, 3, '2', undefined, 2 ** 32 + 2]) {
  behaves(`maxFragments: ${typeof maxFragments} ${maxFragments}`, { maxFragments }, ...parts);
}
behaves('skipUTF8Validation: 1', { skipUTF8Validation: 1 }, frame(0x81, Buffer.from([0xff])));
behaves('maxPendingAutoPongs: 0', { maxPendingAutoPongs: 0 }, ...Array(100).fill(ping));

compare(
  'more auto-pongs than maxPendingAutoPongs in one piece',
  async ({ wss, port, trace }) => {
    const connected = once(wss, 'connection');
    const peer = await RawPeer.open(port);
    const [websocket] = await connected;
    let pings = 0;
    websocket.on('ping', () => pings++);
    websocket.on('error', (error) => trace.push(error.message));
    peer.send(...Array(100).fill(ping));
    const [code] = await once(websocket, 'close');
    trace.push(pings, code);
  },
  {}
);

compare('subprotocols that handleProtocols makes up', async ({ WebSocket, wss, port, trace }) => {
  for (const answer of ['other', '', false, undefined, null]) {
    wss.options.handleProtocols = (offered) => (trace.push([...offered].join()), answer);
    const client = new libraries.ws(`ws://127.0.0.1:${port}`, ['a', 'b']);
    const event = await Promise.race([
      once(client, 'open').then(() => client.protocol),
      once(client, 'error').then(([error]) => error.message)
    ]).catch((error) => error.message);
    trace.push(event);
    client.terminate();
  }
  trace.push(WebSocket.name);
});

describe.each(Object.entries(libraries))('%s', (name, WebSocket) => {
  test('constructs the class of the WebSocket option', async () => {
    class Special extends WebSocket {
      special = true;
    }
    const wss = new WebSocket.Server({ port: 0, WebSocket: Special });
    await once(wss, 'listening');
    const connected = once(wss, 'connection');
    const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
    const [[websocket]] = await Promise.all([connected, once(client, 'open')]);
    expect(websocket).toBeInstanceOf(Special);
    expect(websocket.special).toBe(true);
    client.close();
    await once(client, 'close');
    await new Promise((resolve) => wss.close(resolve));
  });

  test('several servers share an http server; a callback is for port mode only', async () => {
    const server = http.createServer();
    const never = jest.fn();
    const first = new WebSocket.Server({ server, path: '/first' }, never);
    const listening = once(first, 'listening');
    server.listen(0, '127.0.0.1');
    await listening;
    expect(first._server).toBe(server);
    expect(first.address()).toEqual(server.address());
    first.on('connection', (websocket) => websocket.close(4001));
    const { port } = server.address();
    const client = new WebSocket(`ws://127.0.0.1:${port}/first?x=1`);
    expect((await once(client, 'close'))[0]).toBe(4001);
    await new Promise((resolve) => first.close(resolve));
    expect(server.listening).toBe(true);
    expect(first._server).toBe(null);
    expect(server.listenerCount('upgrade')).toBe(0);
    expect(never).not.toHaveBeenCalled();
    await new Promise((resolve) => server.close(resolve));
  });
});
