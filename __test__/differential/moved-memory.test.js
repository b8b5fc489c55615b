// Memory that users are given is theirs to move to a thread: whatever its size, and of
// whatever event, nothing else of the process loses it.

'use strict';

const { once } = require('events');

const { libraries, serve } = require('../support/libraries');

const SIZES = [0, 1, 100, 4096, 40000, 1 << 20];

/** Moves memory away, as postMessage() with a list of transfers does. */
function move(bytes) {
  const { buffer = bytes } = bytes;
  try {
    structuredClone(buffer, { transfer: [buffer] });
  } catch (error) {
    // What Node shares among many buffers it does not let go, from version 22 on.
    if (error.name !== 'DataCloneError') throw error;
  }
}

async function connect(WebSocket, mode, options) {
  const context = await serve(WebSocket, mode, options);
  const connected = once(context.wss, 'connection');
  const client = new WebSocket(`ws://127.0.0.1:${context.port}`, options);
  const opened = once(client, 'open');
  const [server] = await connected;
  await opened;
  return { ...context, client, server };
}

/** What comes of a conversation in which every memory is moved as soon as it is there. */
async function converse(WebSocket, mode, binaryType, options) {
  const seen = [];
  const { client, server, close } = await connect(WebSocket, mode, options);
  for (const [websocket, peer] of [
    [server, client],
    [client, server]
  ]) {
    websocket.binaryType = binaryType;
    const take = (event) => async (data) => {
      const parts = [data].flat();
      seen.push([event, ...parts.map((part) => part.byteLength)].join(' '));
      parts.forEach(move);
    };
    for (const event of ['message', 'ping', 'pong']) websocket.on(event, take(event));
    for (const size of SIZES) {
      const message = once(websocket, 'message');
      peer.send(Buffer.alloc(size, 1));
      await message;
      const text = once(websocket, 'message');
      peer.send('x'.repeat(size));
      await text;
    }
    const pong = once(peer, 'pong');
    peer.ping();
    await pong;
    websocket.send();
    await once(peer, 'message');
  }
  server.on('close', (code, reason) => {
    seen.push(`close ${code} ${reason}`);
    move(reason);
  });
  client.close();
  await once(server, 'close');

  // What others have is as it was.
  const next = await connect(WebSocket, mode, options);
  for (const data of [undefined, '', 'text', Buffer.alloc(0), Buffer.from('bytes')]) {
    next.client.send(data);
    const [received] = await once(next.server, 'message');
    next.server.send(received);
    seen.push(String((await once(next.client, 'message'))[0]));
  }
  next.client.close();
  const [code, reason] = await once(next.client, 'close');
  seen.push(`close ${code} ${reason}`);
  await next.close();
  await close();
  return seen.sort();
}

const rows = ['port', 'noServer'].flatMap((mode) =>
  ['nodebuffer', 'arraybuffer', 'fragments'].map((type) => [mode, type])
);

test.each(rows)('%s, %s', async (mode, type) => {
  // With ws the memory of compressed messages is zlib's: whoever moves it ends the process.
  const options = { perMessageDeflate: false };
  const expected = await converse(libraries.ws, mode, type, options);
  expect(await converse(libraries.ferrows, mode, type, options)).toEqual(expected);
});

test.each(['port', 'noServer'])('each fragment of a message by itself: %s', async (mode) => {
  const { client, server, close } = await connect(libraries.ferrows, mode, {});
  server.binaryType = 'fragments';
  client.send(Buffer.alloc(70000, 1), { fin: false });
  client.send(Buffer.from('second'), { fin: false });
  client.send(Buffer.alloc(40000, 3));
  const [fragments] = await once(server, 'message');
  const lengths = fragments.map((fragment) => {
    const { length } = fragment;
    move(fragment);
    return length;
  });
  client.close();
  await close();
  expect(lengths).toEqual([70000, 6, 40000]);
  expect(fragments.map(({ length }) => length)).toEqual([0, 0, 0]);
});
