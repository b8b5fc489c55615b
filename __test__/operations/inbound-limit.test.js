// Peers that send more than they may. The counting is tested in virtual time: src/reactor/tests,
// __test__/unit/throttle.test.js.

'use strict';

const { once } = require('events');

const WebSocket = require('../..');
const { serve } = require('../support/libraries');
const { RawPeer, frame } = require('../support/raw-peer');

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

async function connected(options, first) {
  const server = await serve(WebSocket, 'port', options);
  cleanUp.push(server.close);
  const got = [];
  server.wss.on('connection', (websocket) => {
    websocket.on('message', (data) => got.push(String(data).slice(0, 8)));
    if (first) first(websocket);
  });
  const connection = once(server.wss, 'connection');
  const peer = await RawPeer.open(server.port);
  cleanUp.push(() => peer.socket.destroy());
  const [websocket] = await connection;
  return { ...server, got, peer, websocket };
}

// Unlike events.once(), it listens for nothing else.
const closing = (websocket) => new Promise((resolve) => websocket.once('close', resolve));

const numbers = (count) => Array.from({ length: count }, (_, index) => String(index));

describe('pause', () => {
  const limits = [
    ['messages', { messages: 50 }, 100, 1],
    ['bytes', { bytes: 60000 }, 50, 2000],
    ['both', { messages: 60, bytes: 60000, action: 'pause' }, 80, 1000]
  ];
  test.each(limits)('%s: all come, in order', async (name, inboundLimit, count, length) => {
    const { got, peer } = await connected({ inboundLimit });
    const began = process.hrtime.bigint();
    peer.send(...numbers(count).map((text) => frame(0x81, text.padEnd(length))));
    peer.send(frame(0x88, ''));
    await peer.rest();
    expect(got.map((text) => text.trim())).toEqual(numbers(count));
    // However fast the machine is, it cannot be faster than the limit.
    expect(process.hrtime.bigint() - began).toBeGreaterThan(400_000_000n);
  });

  test('what came before the end is delivered without waiting', async () => {
    const { got, peer, websocket } = await connected({ inboundLimit: { messages: 1 } });
    const closed = once(websocket, 'close');
    peer.send(...numbers(3).map((text) => frame(0x81, text)));
    await once(websocket, 'message');
    expect(got).toEqual(['0']);
    websocket.terminate();
    await closed;
  });

  test('it goes on after the socket was given back to Node', async () => {
    const { got, peer, websocket } = await connected({ inboundLimit: { messages: 20 } });
    peer.send(...numbers(40).map((text) => frame(0x81, text)));
    await once(websocket, 'message');
    websocket._socket.cork();
    websocket._socket.uncork();
    peer.send(frame(0x88, ''));
    await peer.rest();
    expect(got).toEqual(numbers(40));
  });

  test('compressed messages count, too', async () => {
    const options = { inboundLimit: { messages: 20 }, perMessageDeflate: { threshold: 0 } };
    const server = await serve(WebSocket, 'port', options);
    cleanUp.push(server.close);
    const got = [];
    server.wss.on('connection', (websocket) => {
      websocket.on('message', (data) => got.push(String(data)));
    });
    const client = new WebSocket(`ws://127.0.0.1:${server.port}`, {
      perMessageDeflate: { threshold: 0 }
    });
    await once(client, 'open');
    for (const text of numbers(30)) client.send(text);
    client.close();
    await once(client, 'close');
    expect(got).toEqual(numbers(30));
  });
});

describe('close', () => {
  const limits = [
    ['messages', { messages: 3 }, 'messages'],
    ['bytes', { bytes: 3 * 10 + 5 }, 'bytes']
  ];
  test.each(limits)('%s: 1008, and nothing of what exceeded', async (name, limit, which) => {
    const errors = [];
    const inboundLimit = { ...limit, action: 'close' };
    const { got, peer, websocket } = await connected({ inboundLimit }, (each) => {
      each.on('error', (error) => errors.push(error));
    });
    const closed = closing(websocket);
    for (const text of numbers(3)) {
      const arrived = new Promise((resolve) => websocket.once('message', resolve));
      peer.send(frame(0x81, text.padEnd(4)));
      await arrived;
    }
    peer.send(...numbers(5).map((text) => frame(0x81, `${text} more`)), frame(0x88, ''));
    await expect(peer.rest()).resolves.toEqual(['8: \x03\xf0Inbound limit exceeded']);
    peer.socket.end();
    expect(await closed).toBe(1006);
    expect(got).toEqual(['0   ', '1   ', '2   ']);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(RangeError);
    expect(errors[0].code).toBe('FERROWS_ERR_INBOUND_LIMIT');
    expect(errors[0].message).toContain(which);
  });

  test('without a listener for it there is no error', async () => {
    const { peer, websocket } = await connected({ inboundLimit: { messages: 1, action: 'close' } });
    const closed = closing(websocket);
    peer.send(frame(0x81, 'one'), frame(0x81, 'two'));
    await expect(peer.rest()).resolves.toHaveLength(1);
    peer.socket.end();
    await closed;
  });
});
