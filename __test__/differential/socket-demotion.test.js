'use strict';

// A socket is touched while something is on its way: what follows is as with ws, which never
// had another.

const { once } = require('events');
const { deflateRawSync } = require('zlib');

const Reference = require('ws');

const { compare } = require('./run');
const { RawPeer, frame } = require('../support/raw-peer');

const TEXT = 0x81;
const BINARY = 0x82;
const DEFLATED = 0xc2;

/** What makes a socket one of Node's. */
const TOUCHES = {
  "on('data')": (socket) => socket.on('data', () => {}),
  cork(socket) {
    socket.cork();
    socket.uncork();
  },
  _handle: (socket) => socket._handle.getAsyncId()
};

/** Opens a connection and passes the server's end to `use`. */
function touched(title, use, options, headers) {
  for (const [name, touch] of Object.entries(TOUCHES)) {
    compare(
      `${title}: ${name}`,
      async (context) => {
        const connected = once(context.wss, 'connection');
        const peer = await RawPeer.open(context.port, { headers });
        peer.socket.setNoDelay();
        const [websocket] = await connected;
        websocket.on('error', () => {});
        await use({ ...context, peer, websocket, touch: () => touch(websocket._socket) });
        peer.socket.destroy();
      },
      options
    );
  }
}

/** Lets what was sent arrive: the answer to a ping that comes behind it. */
async function settled(client) {
  client.ping();
  await once(client, 'pong');
}

/** The same with a client that compresses. */
function touchedByClient(title, use, options) {
  for (const [name, touch] of Object.entries(TOUCHES)) {
    compare(
      `${title}: ${name}`,
      async (context) => {
        const connected = once(context.wss, 'connection');
        const client = new Reference(`ws://127.0.0.1:${context.port}`, {
          perMessageDeflate: { threshold: 0 }
        });
        await once(client, 'open');
        const [websocket] = await connected;
        await use({ ...context, client, websocket, touch: () => touch(websocket._socket) });
        client.terminate();
        await once(websocket, 'close');
      },
      options
    );
  }
}

touched(
  'in the middle of messages that came together',
  async ({ websocket, peer, trace, touch }) => {
    const done = new Promise((resolve) => {
      let count = 0;
      websocket.on('message', (data) => {
        trace.push(data.toString());
        if (++count === 3) touch();
        if (count === 40) resolve();
      });
    });
    const frames = Array.from({ length: 20 }, (_, index) => frame(TEXT, `message ${index}`));
    peer.send(Buffer.concat(frames));
    peer.send(Buffer.concat(frames));
    await done;
  }
);

touched(
  'messages that came together, each in a turn of its own',
  async ({ websocket, peer, trace, touch }) => {
    const partOf = (name) =>
      Buffer.concat(Array.from({ length: 20 }, (_, index) => frame(TEXT, `${name}${index}`)));
    const second = partOf('b');
    const done = new Promise((resolve) => {
      let count = 0;
      websocket.on('message', (data) => {
        trace.push(data.toString());
        if (++count === 3) {
          touch();
          // It arrives before the others of the first part had their turns.
          peer.send(second);
        }
        if (count === 40) resolve();
      });
    });
    peer.send(partOf('a'));
    await done;
  },
  { allowSynchronousEvents: false }
);

touched('with messages behind a pause', async ({ websocket, peer, trace, touch }) => {
  const done = new Promise((resolve) => {
    let count = 0;
    websocket.on('message', (data) => {
      trace.push(data.toString());
      if (++count === 12) resolve();
    });
  });
  websocket.pause();
  peer.send(Buffer.concat(Array.from({ length: 6 }, (_, index) => frame(TEXT, `a${index}`))));
  touch();
  trace.push(`paused ${websocket.isPaused} ${websocket._socket.isPaused()}`);
  peer.send(Buffer.concat(Array.from({ length: 6 }, (_, index) => frame(TEXT, `b${index}`))));
  await new Promise(setImmediate);
  trace.push('resume');
  websocket.resume();
  await done;
});

touched('in the middle of a frame', async ({ websocket, peer, trace, touch }) => {
  let count = 0;
  websocket.on('message', (data) => {
    count++;
    trace.push(`${data.length} ${data.subarray(-3)}`);
  });
  const bytes = frame(BINARY, Buffer.from(`${'x'.repeat(60_000)}end`));
  for (const cut of [1, 5, 20_000, bytes.length - 1]) {
    const before = once(websocket, 'ping');
    peer.send(frame(0x89, 'first'));
    peer.send(bytes.subarray(0, cut));
    await before;
    touch();
    peer.send(bytes.subarray(cut), frame(TEXT, 'and more'));
    for (const wanted = count + 2; count < wanted;) await once(websocket, 'message');
  }
});

touched('between fragments, and in one', async ({ websocket, peer, trace, touch }) => {
  websocket.binaryType = 'fragments';
  const done = once(websocket, 'message');
  websocket.on('message', (data) => trace.push(data.map((part) => part.length).join()));
  peer.send(frame(0x02, 'abc'), frame(0x89, 'p'));
  await once(websocket, 'ping');
  touch();
  peer.send(frame(0x00, 'defg'), frame(0x80, 'hi'));
  await done;
});

touched('while much is unsent', async ({ websocket, peer, trace, touch }) => {
  // More than the kernel takes while nobody reads.
  const pieces = Array.from({ length: 60 }, (_, index) => Buffer.alloc(256 * 1024, index));
  const written = [];
  peer.socket.pause();
  pieces.slice(0, 40).forEach((piece, index) => websocket.send(piece, () => written.push(index)));
  touch();
  pieces.slice(40).forEach((piece, index) => websocket.send(piece, () => written.push(40 + index)));
  trace.push(`waits ${websocket.bufferedAmount > 1 << 20} ${websocket._socket.writableLength > 0}`);
  const end = new Promise((resolve) => websocket.send('end', resolve));
  peer.socket.resume();
  for (const piece of pieces) {
    const { payload } = await peer.nextFrame();
    if (!payload.equals(piece)) trace.push(`not ${piece[0]}`);
  }
  await end;
  trace.push(`${(await peer.nextFrame()).payload}`, written.join(), websocket.bufferedAmount);
});

touched('while much is unsent and the end waits', async ({ websocket, peer, trace, touch }) => {
  const piece = Buffer.alloc(256 * 1024, 7);
  let written = 0;
  peer.socket.pause();
  for (let index = 0; index < 40; index++) websocket.send(piece, () => written++);
  const finished = once(websocket._socket, 'finish');
  websocket._socket.end();
  touch();
  peer.socket.resume();
  for (let index = 0; index < 40; index++) {
    if (!(await peer.nextFrame()).payload.equals(piece)) trace.push('another');
  }
  await finished;
  trace.push(written, websocket._socket.writableFinished, await peer.nextFrame());
  peer.socket.end();
  await once(websocket, 'close');
});

touched('between fragments that we send', async ({ websocket, peer, trace, touch }) => {
  websocket.send('a', { fin: false });
  touch();
  websocket.send('b', { fin: false });
  websocket.ping('p');
  websocket.send('c');
  for (let index = 0; index < 4; index++) {
    const { fin, opcode, payload } = await peer.nextFrame();
    trace.push(`${fin} ${opcode} ${payload}`);
  }
});

touched('a close handshake afterwards', async ({ websocket, peer, trace, touch, watch }) => {
  watch(websocket, trace);
  touch();
  peer.send(frame(TEXT, 'x'), frame(0x88, Buffer.from([0x0f, 0xa0])));
  trace.push(...(await peer.rest()));
  peer.socket.end();
  await once(websocket, 'close');
});

touched('a violation afterwards', async ({ websocket, peer, trace, touch, watch }) => {
  watch(websocket, trace);
  touch();
  peer.send(frame(TEXT, 'x'), frame(0x83, 'y'));
  trace.push(...(await peer.rest()));
  peer.socket.end();
  await once(websocket, 'close');
});

touched('Blobs that are being read', async ({ websocket, peer, trace, touch }) => {
  const written = [];
  websocket.send('before', () => written.push('before'));
  websocket.send(new Blob(['blob']), () => written.push('blob'));
  websocket.send('behind', () => written.push('behind'));
  touch();
  const sent = new Promise((resolve) => websocket.send('after', resolve));
  for (let index = 0; index < 4; index++) trace.push(`${(await peer.nextFrame()).payload}`);
  await sent;
  trace.push(written.join());
});

touched('terminate() afterwards', async ({ websocket, trace, touch, watch }) => {
  watch(websocket, trace);
  touch();
  websocket.terminate();
  await once(websocket, 'close');
  trace.push(websocket._socket.destroyed);
});

/** Text that compresses, and better if one knows what came before. */
const textOf = (index) => `line ${index % 7} of ${index} `.repeat(20 + (index % 50) * 40);

const DEFLATE = { perMessageDeflate: { threshold: 0 } };

touchedByClient(
  'compressed messages before and after',
  async ({ websocket, client, trace, touch }) => {
    const texts = Array.from({ length: 30 }, (_, index) => textOf(index));
    const exchange = async (part) => {
      const got = { client: [], websocket: [] };
      client.on('message', (data) => got.client.push(data.toString()));
      websocket.on('message', (data) => got.websocket.push(data.toString()));
      for (const text of part) {
        client.send(text);
        websocket.send(text);
      }
      await settled(client);
      while (got.client.length < part.length) await once(client, 'message');
      while (got.websocket.length < part.length) await once(websocket, 'message');
      trace.push(got.client.join() === part.join(), got.websocket.join() === part.join());
      client.removeAllListeners('message');
      websocket.removeAllListeners('message');
    };
    await exchange(texts.slice(0, 10));
    touch();
    await exchange(texts.slice(10, 20));
    await exchange(texts.slice(20));
  },
  DEFLATE
);

touchedByClient(
  'a compressed message in fragments, both ways',
  async ({ websocket, client, trace, touch }) => {
    const [a, b, c] = [textOf(1), textOf(2), textOf(3)];
    const both = Promise.all([once(client, 'message'), once(websocket, 'message')]);
    client.send(a, { fin: false });
    websocket.send(a, { fin: false });
    await settled(client);
    touch();
    for (const end of [client, websocket]) {
      end.send(b, { fin: false });
      end.send(c);
    }
    for (const [data] of await both) trace.push(data.toString() === a + b + c);
  },
  DEFLATE
);

touchedByClient(
  'a large message that is being compressed',
  async ({ websocket, client, trace, touch }) => {
    const large = textOf(11).repeat(400);
    const written = [];
    const received = [];
    client.on('message', (data) => received.push(data.toString()));
    websocket.send(large, () => written.push('large'));
    websocket.send('small', () => written.push('small'));
    touch();
    const sent = new Promise((resolve) => websocket.send('last', resolve));
    while (received.length < 3) await once(client, 'message');
    await sent;
    trace.push(received[0] === large, received[1], received[2], written.join());
  },
  DEFLATE
);

touched(
  'a large message that is being inflated',
  async ({ websocket, peer, trace, touch }) => {
    const large = Buffer.from(textOf(13).repeat(2000));
    const received = [];
    websocket.on('message', (data) => received.push(data));
    const made = deflateRawSync(large, { finishFlush: 2 }).subarray(0, -4);
    peer.send(frame(0x89, 'before'), frame(DEFLATED, made), frame(TEXT, 'behind'));
    await once(websocket, 'ping');
    touch();
    while (received.length < 2) await once(websocket, 'message');
    peer.send(frame(TEXT, 'last'));
    while (received.length < 3) await once(websocket, 'message');
    trace.push(received[0].equals(large), `${received[1]} ${received[2]}`);
  },
  DEFLATE,
  { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
);
