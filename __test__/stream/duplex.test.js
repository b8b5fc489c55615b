// createWebSocketStream(), beside ws's.

'use strict';

const { once } = require('events');
const { PassThrough, pipeline } = require('stream');
const { createHash } = require('crypto');

const { compare } = require('../differential/run');
const { libraries, serve } = require('../support/libraries');

const { ws, ferrows } = libraries;

/** A server's WebSocket of the library under test, wrapped, and a ws client at the other end. */
async function wrapped({ WebSocket, wss, port }, options) {
  const connected = once(wss, 'connection');
  const peer = new ws(`ws://127.0.0.1:${port}`);
  const opened = once(peer, 'open');
  const [[websocket]] = await Promise.all([connected, opened]);
  return { websocket, peer, duplex: WebSocket.createWebSocketStream(websocket, options) };
}

function note(duplex, trace) {
  duplex.on('data', (data) => trace.push(`data ${typeof data} ${data}`));
  for (const event of ['end', 'finish', 'close']) duplex.on(event, () => trace.push(event));
}

const closed = (emitter) => new Promise((resolve) => emitter.on('close', resolve));

compare('messages become chunks and chunks messages', async (context) => {
  const { duplex, peer } = await wrapped(context);
  note(duplex, context.trace);
  const messages = [];
  peer.on('message', (data, isBinary) => messages.push(`peer ${data} ${isBinary}`));
  duplex.write('text');
  duplex.write(Buffer.from('bytes'));
  peer.send('hello');
  peer.send('');
  peer.send(Buffer.from('world'));
  await once(duplex, 'data');
  peer.close();
  duplex.on('end', () => duplex.end());
  await closed(duplex);
  context.trace.push(...messages);
});

compare('text and empty messages in object mode', async (context) => {
  const { duplex, peer } = await wrapped(context, {
    readableObjectMode: true,
    decodeStrings: false
  });
  note(duplex, context.trace);
  peer.on('message', (data, isBinary) => peer.send(`${data} ${isBinary}`));
  duplex.write('text');
  peer.send('');
  peer.send(Buffer.from('bytes'));
  while (context.trace.length < 3) await once(duplex, 'data');
  peer.close();
  duplex.on('end', () => duplex.end());
  await closed(duplex);
});

compare('end() starts the closing handshake', async (context) => {
  const { duplex, peer } = await wrapped(context);
  note(duplex, context.trace);
  const peerClosed = once(peer, 'close');
  duplex.end('last');
  await closed(duplex);
  context.trace.push(`peer ${(await peerClosed)[0]}`);
});

compare('destroy() terminates', async (context) => {
  const { duplex, peer } = await wrapped(context);
  note(duplex, context.trace);
  duplex.on('error', (error) => context.trace.push(`error ${error.message}`));
  duplex.destroy(new Error('enough'));
  const [code] = await once(peer, 'close');
  await new Promise((resolve) => setTimeout(resolve, 20));
  context.trace.push(`peer ${code}`);
});

compare('a peer that goes is an end, not an error', async (context) => {
  const { duplex, peer } = await wrapped(context);
  note(duplex, context.trace);
  duplex.on('error', (error) => context.trace.push(`error ${error.message}`));
  peer.terminate();
  await once(duplex, 'end');
  await new Promise((resolve) => setTimeout(resolve, 20));
});

compare('a violation destroys the stream with its error', async (context) => {
  const { duplex, peer } = await wrapped(context);
  note(duplex, context.trace);
  duplex.on('error', (error) => context.trace.push(`error ${error.code}`));
  peer._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
  const [code] = await once(peer, 'close');
  await new Promise((resolve) => setTimeout(resolve, 20));
  context.trace.push(`peer ${code}`);
});

compare('writing after the end of the WebSocket is an error', async (context) => {
  const { duplex, websocket } = await wrapped(context);
  const failed = once(duplex, 'error');
  websocket.terminate();
  duplex.write('late');
  context.trace.push((await failed.catch((error) => [error]))[0].message);
});

test.each(Object.entries({ ws, ferrows }))(
  'a %s client waits for its connection',
  async (name, lib) => {
    const { wss, port, close } = await serve(ferrows, 'port');
    wss.on('connection', (websocket) => websocket.on('message', (data) => websocket.send(data)));
    const duplex = lib.createWebSocketStream(new lib(`ws://127.0.0.1:${port}`), {
      encoding: 'utf8'
    });
    duplex.write('early');
    expect((await once(duplex, 'data'))[0]).toBe('early');
    duplex.end();
    await closed(duplex);
    await close();
  }
);

test('a connection that fails destroys the stream', async () => {
  const duplex = ferrows.createWebSocketStream(new ferrows('ws://127.0.0.1:1'));
  duplex.end('never');
  const [error] = await once(duplex, 'error');
  expect(error.code).toBe('ECONNREFUSED');
});

test('64 MiB pass through pipes, byte by byte the same', async () => {
  const TOTAL = 64 << 20;
  const { wss, port, close } = await serve(ferrows, 'port');
  wss.on('connection', (websocket) => {
    const duplex = ferrows.createWebSocketStream(websocket);
    pipeline(duplex, new PassThrough(), duplex, () => {});
  });
  const duplex = ferrows.createWebSocketStream(new ferrows(`ws://127.0.0.1:${port}`));
  const [sent, received] = [createHash('sha1'), createHash('sha1')];
  let left = TOTAL;
  let count = 0;
  const done = new Promise((resolve) => {
    duplex.on('data', (chunk) => {
      received.update(chunk);
      count += chunk.length;
      if (count === TOTAL) resolve();
    });
  });
  while (left > 0) {
    const chunk = Buffer.alloc(64 << 10, left >> 16);
    sent.update(chunk);
    left -= chunk.length;
    if (!duplex.write(chunk)) await once(duplex, 'drain');
  }
  await done;
  expect(received.digest('hex')).toBe(sent.digest('hex'));
  duplex.end();
  await closed(duplex);
  await close();
});
