'use strict';

// What ws's `_receiver` and `_sender` do, where a reactor has the connection.

const { once } = require('events');

const { libraries, serve } = require('../support/libraries');

const describeError = (error) => (error ? `${error.code} ${error.message}` : String(error));

// The steps of ws's parser, and what its streams have of their own.
const STEPS = (
  'consume startLoop getInfo getPayloadLength16 getPayloadLength64 haveLength getMask getData decompress ' +
  'dataMessage controlMessage createError'
).split(' ');

async function connect(WebSocket, mode, options = {}) {
  const context = await serve(WebSocket, mode, options);
  const connected = once(context.wss, 'connection');
  const client = new WebSocket(`ws://127.0.0.1:${context.port}`, {
    perMessageDeflate: false,
    ...options
  });
  const opened = once(client, 'open');
  const [server] = await connected;
  await opened;
  const close = async () => {
    client.terminate();
    await context.close();
  };
  return { client, server, close };
}

/** Runs a script with each library on each end and compares what it returns. */
function compare(title, script, options) {
  test.each(['port', 'noServer', 'client'])(`${title} (%s)`, async (mode) => {
    const results = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const isClient = mode === 'client';
      const { client, server, close } = await connect(WebSocket, isClient ? 'port' : mode, options);
      const [websocket, peer] = isClient ? [client, server] : [server, client];
      peer.on('error', () => {});
      try {
        results[name] = await script({ websocket, peer, mask: isClient, WebSocket });
      } finally {
        await close();
      }
    }
    expect(results.ws).toBeDefined();
    expect(results.ferrows).toEqual(results.ws);
  });
}

const COUNTERS =
  '_bufferedBytes _compressed _errored _fin _fragmented _loop _masked _messageLength ' +
  '_numFragments _opcode _payloadLength _state _totalPayloadLength';

describe('_receiver', () => {
  compare('how it is made', ({ websocket }) => {
    const { _receiver: receiver } = websocket;
    const names = '_allowSynchronousEvents _binaryType _isServer _maxPayload _skipUTF8Validation';
    const made = Object.fromEntries(names.split(' ').map((name) => [name, receiver[name]]));
    return [
      made,
      receiver._maxFragments,
      receiver._maxBufferedChunks,
      typeof receiver._extensions,
      websocket._receiver === receiver,
      receiver.writable,
      receiver.destroyed
    ];
  });

  compare('what it counts between two messages', async ({ peer, websocket }) => {
    const before = COUNTERS.split(' ').map((name) => websocket._receiver[name]);
    peer.send('x');
    await once(websocket, 'message');
    await new Promise(setImmediate);
    return [before, COUNTERS.split(' ').map((name) => typeof websocket._receiver[name])];
  });

  compare("'conclude' comes before the closing handshake goes on", async ({ websocket, peer }) => {
    const seen = [];
    websocket._receiver.on('conclude', (code, reason) => {
      seen.push(`conclude ${code} ${reason} ${websocket.readyState}`);
    });
    websocket._receiver.prependListener('conclude', () =>
      seen.push(`first ${websocket.readyState}`)
    );
    websocket.on('close', (code) => seen.push(`close ${code}`));
    peer.close(3000, 'over');
    await once(websocket, 'close');
    return seen;
  });

  compare('its largest message can be changed', async ({ websocket, peer }) => {
    websocket._receiver._maxPayload = 10;
    const errors = [];
    websocket.on('error', (error) => errors.push(describeError(error)));
    const seen = [];
    websocket.on('message', (data) => seen.push(data.length));
    peer.send('x'.repeat(10));
    await once(websocket, 'message');
    peer.send('x'.repeat(11));
    const [code] = await once(peer, 'close');
    return [seen, errors, code, websocket._receiver._maxPayload];
  });

  for (const method of ['on', 'addListener', 'prependListener', 'once', 'prependOnceListener']) {
    compare(`a listener for messages: ${method}`, async ({ websocket, peer }) => {
      const seen = [];
      websocket.on('message', (data) => seen.push(`websocket ${data}`));
      websocket._receiver[method]('message', (data, isBinary) => {
        seen.push(`receiver ${data} ${isBinary}`);
      });
      peer.send('a');
      peer.send(Buffer.from('b'));
      peer.send('last');
      while (!seen.includes('websocket last')) await once(websocket, 'message');
      return seen;
    });
  }

  compare('listeners for pings and pongs', async ({ websocket, peer }) => {
    const seen = [];
    for (const event of ['ping', 'pong']) {
      websocket._receiver.on(event, (data) => seen.push(`${event} ${data}`));
    }
    peer.ping('one');
    peer.pong('two');
    peer.send('last');
    await once(websocket, 'message');
    return seen;
  });

  compare('bytes from elsewhere are decoded', async ({ websocket, mask, WebSocket }) => {
    const frame = { fin: true, mask: !mask, opcode: 1, readOnly: false, rsv1: false };
    const message = once(websocket, 'message');
    websocket._receiver.write(
      Buffer.concat(WebSocket.Sender.frame(Buffer.from('elsewhere'), frame))
    );
    return String((await message)[0]);
  });

  compare('another in its place', ({ websocket }) => {
    const other = {};
    const { _receiver: own } = websocket;
    websocket._receiver = other;
    const seen = [websocket._receiver === other, Object.keys(websocket).includes('_receiver')];
    websocket._receiver = own;
    return seen;
  });
});

describe('_sender', () => {
  compare('what it holds', ({ websocket }) => {
    const { _sender: sender } = websocket;
    return [
      sender._socket === websocket._socket,
      typeof sender._extensions,
      [sender._bufferedBytes, sender._firstFragment, sender._compress, sender._state],
      sender._queue.length,
      websocket._sender === sender
    ];
  });

  compare('its methods keep their place', async ({ websocket, peer, mask, WebSocket }) => {
    const seen = [];
    const written = [];
    for (const event of ['message', 'ping', 'pong', 'close']) {
      peer.on(event, (first, second) => seen.push(`${event} ${first} ${second}`));
    }
    const { _sender: sender } = websocket;
    const note = (what) => (error) => written.push(`${what} ${describeError(error)}`);
    const frame = { fin: true, mask, opcode: 2, readOnly: true, rsv1: false };
    sender.ping('one', mask, note('ping'));
    sender.send('two', { binary: false, compress: false, fin: false, mask }, note('send'));
    sender.pong(Buffer.from('three'), mask, note('pong'));
    sender.send('four', { binary: false, compress: false, fin: true, mask }, note('send'));
    sender.sendFrame(WebSocket.Sender.frame(Buffer.from('five'), frame), note('sendFrame'));
    sender.sendFrame([Buffer.concat(WebSocket.Sender.frame(Buffer.from('six'), frame))]);
    sender.dispatch(Buffer.from('seven'), false, { ...frame, opcode: 1 }, note('dispatch'));
    websocket.send('eight');
    await new Promise((resolve) => websocket.send('nine', resolve));
    sender.close(1001, 'ten', mask, note('close'));
    await once(peer, 'close');
    return [seen, written];
  });

  compare('what it refuses', ({ websocket, mask }) => {
    const { _sender: sender } = websocket;
    const seen = [];
    for (const send of [
      () => sender.ping(Buffer.alloc(126), mask),
      () => sender.pong('x'.repeat(126), mask),
      () => sender.close(1005, '', mask),
      () => sender.close(1000, 'x'.repeat(124), mask),
      () => sender.send({}, { binary: true, compress: false, fin: true, mask })
    ]) {
      try {
        seen.push(String(send()));
      } catch (error) {
        seen.push(`${error.name} ${describeError(error)}`);
      }
    }
    return seen;
  });

  compare('a Blob and what comes behind it', async ({ websocket, peer, mask }) => {
    const seen = [];
    peer.on('message', (data) => seen.push(String(data)));
    const options = { binary: true, compress: false, fin: true, mask };
    const { _sender: sender } = websocket;
    sender.send(new Blob(['blob']), options);
    sender.send('behind', options);
    const waiting = [sender._bufferedBytes, sender._state, sender._queue.length];
    while (seen.length < 2) await once(peer, 'message');
    return [waiting, seen, sender._bufferedBytes, sender._state, sender._queue.length];
  });

  compare('another in its place', ({ websocket }) => {
    const other = {};
    const { _sender: own } = websocket;
    websocket._sender = other;
    const seen = [websocket._sender === other, Object.keys(websocket).includes('_sender')];
    websocket._sender = own;
    return seen;
  });
});

test('no member is missing but the steps of the parser', async () => {
  const original = await connect(libraries.ws, 'port');
  const ours = await connect(libraries.ferrows, 'port');
  const missing = (part) => {
    const { [part]: object } = original.server;
    const names = [
      ...Object.keys(object),
      ...Object.getOwnPropertyNames(Object.getPrototypeOf(object))
    ];
    return names.filter((name) => !(name in ours.server[part]) && !STEPS.includes(name));
  };
  const seen = [missing('_sender'), missing('_receiver')];
  await original.close();
  await ours.close();
  expect(seen).toEqual([[], []]);
});
