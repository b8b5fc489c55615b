// Heartbeats over real connections; their times are tested in virtual time (src/reactor/tests).

'use strict';

const { once } = require('events');
const { Duplex } = require('stream');

const WebSocket = require('../..');
const { libraries, serve } = require('../support/libraries');
const { RawPeer, frame } = require('../support/raw-peer');

const SOON = { interval: 20, timeout: 20 };
const PONG = 0x8a;
const PING = 9;

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

async function connected(mode, options) {
  const server = await serve(WebSocket, mode, options);
  cleanUp.push(server.close);
  const connection = once(server.wss, 'connection');
  const peer = await RawPeer.open(server.port);
  cleanUp.push(() => peer.socket.destroy());
  const [websocket] = await connection;
  return { ...server, peer, websocket };
}

/** A peer that answers so many pings, and the frames that it saw. */
async function answer(peer, count) {
  for (let i = 0; i < count; i++) {
    const next = await peer.nextFrame();
    expect(next).toMatchObject({ fin: true, opcode: PING, masked: false });
    expect(next.payload).toHaveLength(0);
    peer.send(frame(PONG, next.payload));
  }
}

describe.each(['port', 'noServer'])('%s', (mode) => {
  test('a peer that does not answer is pinged once and then terminated', async () => {
    const { peer, websocket } = await connected(mode, { heartbeat: SOON });
    const closed = once(websocket, 'close');
    await expect(peer.rest()).resolves.toEqual(['9: ']);
    const [code, reason] = await closed;
    expect([code, reason.length]).toEqual([1006, 0]);
    expect(websocket.readyState).toBe(WebSocket.CLOSED);
  });

  test('one that answers is kept, and its pongs are events as any other', async () => {
    // Time enough for a slow machine to answer.
    const heartbeat = { interval: 10, timeout: 30000 };
    const { peer, websocket } = await connected(mode, { heartbeat });
    const pongs = [];
    websocket.on('pong', (data) => pongs.push(data.length));
    await answer(peer, 5);
    peer.send(frame(0x82, 'still here'));
    const [data] = await once(websocket, 'message');
    expect(String(data)).toBe('still here');
    expect(pongs).toEqual([0, 0, 0, 0, 0]);
    expect(websocket.bufferedAmount).toBe(0);
  });

  test('it goes on after the socket was given back to Node', async () => {
    const { peer, websocket } = await connected(mode, { heartbeat: SOON });
    // Only a socket of Node's can do that.
    websocket._socket.cork();
    websocket._socket.uncork();
    const closed = once(websocket, 'close');
    const frames = await peer.rest();
    expect(frames.length).toBeGreaterThan(0);
    expect(new Set(frames)).toEqual(new Set(['9: ']));
    expect((await closed)[0]).toBe(1006);
  });

  test('no ping comes between the frames of the closing handshake', async () => {
    const heartbeat = { interval: 20, timeout: 10000 };
    const { peer, websocket } = await connected(mode, { heartbeat, closeTimeout: 200 });
    websocket.close(1000, 'bye');
    const frames = await peer.rest();
    expect(frames.filter((text) => text !== '9: ')).toEqual(['8: \x03\xe8bye']);
    expect(frames[frames.length - 1]).toBe('8: \x03\xe8bye');
  });
});

test('a WebSocket that was put on a socket by a class of the user has one, too', async () => {
  class Own extends WebSocket {
    setSocket(socket, head, options) {
      super.setSocket(socket, head, { ...options });
    }
  }
  const { peer } = await connected('port', { heartbeat: SOON, WebSocket: Own });
  await expect(peer.rest()).resolves.toEqual(['9: ']);
});

test('streams that are no sockets have one', async () => {
  const wss = new WebSocket.Server({ noServer: true, heartbeat: SOON });
  const [near, far] = duplexPair();
  const head = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  const request = {
    method: 'GET',
    url: '/',
    headers: {
      upgrade: 'websocket',
      'sec-websocket-key': head.slice(19),
      'sec-websocket-version': '13'
    }
  };
  const connection = new Promise((resolve) => {
    wss.handleUpgrade(request, near, Buffer.alloc(0), resolve);
  });
  const peer = new RawPeer(far);
  const websocket = await connection;
  const closed = once(websocket, 'close');
  await peer.headers();
  expect(await peer.nextFrame()).toMatchObject({ opcode: PING });
  expect((await closed)[0]).toBe(1006);
});

test('a client of ferrows or ws that answers stays', async () => {
  const heartbeat = { interval: 5, timeout: 30000 };
  const { wss, port, close } = await serve(WebSocket, 'port', { heartbeat });
  cleanUp.push(close);
  for (const library of Object.values(libraries)) {
    const connection = once(wss, 'connection');
    const client = new library(`ws://127.0.0.1:${port}`);
    const [websocket] = await connection;
    for (let i = 0; i < 3; i++) await once(websocket, 'pong');
    expect(client.readyState).toBe(library.OPEN);
    client.terminate();
    await once(websocket, 'close');
  }
});

test('off is off', async () => {
  for (const heartbeat of [undefined, null, false]) {
    const { wss, port, close } = await serve(WebSocket, 'port', { heartbeat });
    const connection = once(wss, 'connection');
    const peer = await RawPeer.open(port);
    const [websocket] = await connection;
    websocket.close();
    expect(await peer.nextFrame()).toMatchObject({ opcode: 8 });
    peer.socket.destroy();
    await close();
  }
});

function duplexPair() {
  const ends = [0, 1].map(
    () =>
      new Duplex({
        read() {},
        write(chunk, encoding, callback) {
          this.other.push(chunk);
          callback();
        },
        final(callback) {
          this.other.push(null);
          callback();
        }
      })
  );
  ends.forEach((end, index) => (end.other = ends[1 - index]));
  return ends;
}
