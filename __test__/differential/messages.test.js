// Messages both ways on real sockets: Blobs, binaryType, order, one event a turn.

'use strict';

const http = require('http');
const { once } = require('events');

const { compare } = require('./run');
const { RawPeer, frame } = require('../support/raw-peer');
const { libraries } = require('../support/libraries');

const bye = frame(0x88, Buffer.from([0x03, 0xe8]));

/** A connection whose peer is raw; resolves when it is over with what the peer got. */
async function connected({ wss, port }) {
  const connection = once(wss, 'connection');
  const peer = await RawPeer.open(port);
  const [websocket] = await connection;
  const closed = new Promise((resolve) => websocket.on('close', resolve));
  const over = async (trace) => {
    const frames = await peer.rest();
    peer.socket.end();
    await closed;
    trace.push(...frames.map((text) => `peer got ${text}`));
  };
  return { websocket, peer, over };
}

compare('Blobs keep their place', async (context) => {
  const { websocket, peer, over } = await connected(context);
  const { trace } = context;
  const written = [];
  const done = (name) => (error) => written.push(`${name} ${error || 'done'}`);
  websocket.send('first', done('first'));
  websocket.send(new Blob(['blob']), done('blob'));
  websocket.send('second', done('second'));
  websocket.ping('p');
  websocket.send(new Blob(['text'], { type: 'text/plain' }), { binary: false }, done('text'));
  websocket.send(new Blob([]), { fin: false });
  websocket.send('end');
  trace.push(websocket.bufferedAmount > 10);
  websocket.close(1000, 'bye');
  websocket.send(new Blob(['late']), (error) => trace.push(error.message));
  trace.push(websocket.readyState);
  setTimeout(() => peer.send(bye), 30);
  await over(trace);
  trace.push(...written);
});

compare('a Blob that cannot be read ends the connection', async (context) => {
  const { websocket, peer, over } = await connected(context);
  const { trace, watch } = context;
  watch(websocket, trace);
  const blob = new Blob(['x']);
  blob.arrayBuffer = () => Promise.reject(new Error('unreadable'));
  websocket.send(blob, (error) => trace.push(`blob ${error.message}`));
  websocket.send('behind', (error) => trace.push(`behind ${error.message}`));
  setTimeout(() => peer.socket.end(), 30);
  await over(trace);
});

const types = ['nodebuffer', 'arraybuffer', 'fragments', 'blob', 'nonsense'];

compare('every binaryType', async (context) => {
  const { websocket, peer, over } = await connected(context);
  const { trace } = context;
  const messages = [];
  websocket.on('message', (data, isBinary) => {
    messages.push({ type: websocket.binaryType, data, isBinary });
    websocket.binaryType = types[messages.length];
  });
  for (let round = 0; round < types.length; round++) {
    peer.send(frame(0x02, 'ab'), frame(0x00), frame(0x80, 'c'));
    while (messages.length <= round) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  peer.send(frame(0x81, 'text'), bye);
  await over(trace);
  for (const { type, data, isBinary } of messages) {
    const parts = data instanceof Blob ? await data.text() : [].concat(data).map(String);
    const bytes = data instanceof ArrayBuffer ? Buffer.from(data).toString() : parts;
    trace.push([type, data.constructor.name, isBinary, bytes]);
  }
});

compare(
  'one message, ping or pong a turn',
  async (context) => {
    const { websocket, peer, over } = await connected(context);
    const { trace, watch } = context;
    watch(websocket, trace);
    for (const event of ['message', 'ping', 'pong']) {
      websocket.on(event, () => {
        process.nextTick(() => trace.push('tick'));
        Promise.resolve().then(() => trace.push('promise'));
      });
    }
    peer.send(
      frame(0x81, 'a'),
      frame(0x82, 'b'),
      frame(0x89, 'c'),
      frame(0x8a, 'd'),
      frame(0x81, 'e'),
      bye
    );
    await over(trace);
  },
  { allowSynchronousEvents: false }
);

compare(
  'one event a turn, and terminate() between',
  async (context) => {
    const { websocket, peer, over } = await connected(context);
    const { trace, watch } = context;
    watch(websocket, trace);
    websocket.once('message', () => websocket.terminate());
    peer.send(frame(0x81, 'a'), frame(0x81, 'b'), frame(0x81, 'c'));
    await over(trace);
  },
  { allowSynchronousEvents: false }
);

compare('sendFrame() keeps its place', async (context) => {
  const { websocket, peer, over } = await connected(context);
  const { trace, WebSocket } = context;
  const list = WebSocket.Sender.frame(Buffer.from('built'), {
    fin: true,
    mask: false,
    opcode: 1,
    readOnly: false,
    rsv1: false
  });
  websocket.send('before');
  const written = new Promise((resolve) => websocket._sender.sendFrame(list, resolve));
  websocket.send('after');
  await written;
  websocket._receiver.on('conclude', (code) => trace.push(`conclude ${code}`));
  peer.send(bye);
  await over(trace);
});

describe('setSocket() on a socket of an http server', () => {
  test.each(Object.entries(libraries))('%s', async (name, WebSocket) => {
    const server = http.createServer();
    server.on('upgrade', (request, socket, head) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n');
      socket.write('Connection: Upgrade\r\n\r\n');
      const websocket = new WebSocket(null, undefined, { autoPong: true, closeTimeout: 1000 });
      websocket.on('open', () => websocket.send('open'));
      websocket.on('error', () => {});
      websocket.on('message', (data) => websocket.send(data));
      websocket.setSocket(socket, head, { maxPayload: 10 });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const peer = await RawPeer.open(server.address().port);
    peer.send(frame(0x82, 'echo'));
    peer.send(frame(0x82, 'far too long'));
    expect(await peer.rest()).toEqual(['1: open', '2: echo', '8: \u0003ñ']);
    peer.socket.end();
    await new Promise((resolve) => server.close(resolve));
  });
});
