'use strict';

// What callbacks, counts and pauses come to when a connection ends.

const { once } = require('events');

const { libraries, serve } = require('../support/libraries');
const { answeringServer, switching } = require('../support/peers');

const PIECE = Buffer.alloc(256 * 1024);
const describeError = (error) =>
  error ? `${error.name} ${error.code} ${error.syscall} ${error.message}` : String(error);

async function turns(count) {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

/** Both ends of a connection between two WebSockets of a library. */
async function connect(WebSocket, mode, options) {
  const context = await serve(WebSocket, mode, { perMessageDeflate: false, ...options });
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

/**
 * Runs a script with each library on each end and compares what it returns.
 *
 * @param {String} title
 * @param {Function} script Called with ({ websocket, peer, written, note, closed })
 * @param {Object} [options] Of both ends
 */
function compare(title, script, options) {
  const rows = ['server', 'client'].flatMap((end) =>
    ['port', 'noServer'].map((mode) => [end, mode])
  );
  test.each(rows)(`${title} (%s, %s)`, async (end, mode) => {
    const results = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const { client, server, close } = await connect(WebSocket, mode, options);
      const [websocket, peer] = end === 'server' ? [server, client] : [client, server];
      const written = [];
      const seen = [];
      websocket.on('error', (error) => seen.push(`error ${describeError(error)}`));
      peer.on('error', () => {});
      const closed = new Promise((resolve) => {
        websocket.on('close', (code, reason) => {
          seen.push(`close ${code} ${reason}`);
          // Callbacks may be a tick behind.
          setImmediate(resolve);
        });
      });
      const note = (what) => (error) => written.push(`${what}: ${describeError(error)}`);
      const returned = await script({ websocket, peer, note, closed, isMasked: end === 'client' });
      await close();
      results[name] = { returned, seen, written };
    }
    expect(results.ferrows).toEqual(results.ws);
  });
}

/** Sends more than the kernel takes; what callbacks got, without those that succeeded. */
function flood(websocket, peer) {
  const errors = new Set();
  peer.pause();
  for (let index = 0; index < 60; index++) {
    websocket.send(PIECE, (error) => error && errors.add(describeError(error)));
  }
  return errors;
}

// The reason is the peer's reset, which the reader or the writer meets first.
const isOfPeer = (errors) =>
  [...errors].every((text) => /^Error (?:ECONNRESET|EPIPE|ECANCELED) (?:read|write) /.test(text)) &&
  [...errors].some((text) => !text.includes('ECANCELED'));

for (const [name, leave] of Object.entries({
  resets: (socket) => socket.resetAndDestroy(),
  'is gone': (socket) => socket.destroy()
})) {
  compare(`errors of callbacks when the peer ${name}`, async ({ websocket, peer, closed }) => {
    websocket.removeAllListeners('error');
    websocket.on('error', () => {});
    const errors = flood(websocket, peer);
    await new Promise((resolve) => setTimeout(resolve, 10));
    leave(peer._socket);
    await closed;
    return isOfPeer(errors);
  });
}

for (const [name, leave] of Object.entries({
  'terminate()': (websocket) => websocket.terminate(),
  'destroy()': (websocket) => websocket._socket.destroy(),
  'destroy(error)': (websocket) => websocket._socket.destroy(new Error('boom'))
})) {
  compare(`errors of callbacks after ${name}`, async ({ websocket, peer, closed }) => {
    const errors = flood(websocket, peer);
    leave(websocket);
    await closed;
    return [[...errors], websocket.bufferedAmount];
  });
}

const DEFLATE = { perMessageDeflate: { threshold: 16 } };

const COMPRESSING =
  'Error undefined undefined The socket was closed while data was being compressed';

compare(
  'terminate() while a message is being compressed',
  async ({ websocket, closed }) => {
    const written = [];
    const note = (what) => (error) => {
      const text = describeError(error);
      // A reactor on another thread may have sent it before terminate() got there.
      written.push(`${what} ${text === COMPRESSING || (isFerrows && !error)}`);
    };
    const isFerrows = libraries.ferrows === websocket.constructor;
    websocket.send('x'.repeat(5_000_000), note('large'));
    websocket.send('small', note('behind'));
    websocket.ping('p', undefined, note('ping'));
    websocket.terminate();
    await closed;
    return written;
  },
  DEFLATE
);

compare(
  'close() while a message is being compressed',
  async ({ websocket, peer, note, closed }) => {
    const received = [];
    peer.on('message', (data) => received.push(data.length));
    websocket.send('x'.repeat(50_000), note('message'));
    websocket.close(3000, 'bye');
    websocket.send('late', note('late'));
    await closed;
    return [received, websocket.bufferedAmount];
  },
  DEFLATE
);

for (const name of ['close', 'terminate']) {
  for (const isLate of [false, true]) {
    const title = `what is refused ${isLate ? 'after' : 'during'} ${name}() counts as buffered`;
    compare(title, async ({ websocket, note, closed }) => {
      websocket[name]();
      if (isLate) await closed;
      const before = websocket.bufferedAmount;
      websocket.send('hello', note('send'));
      for (const data of [Buffer.alloc(100), new ArrayBuffer(7), new Uint16Array(3), 'é€', 12345]) {
        websocket.send(data);
      }
      websocket.send(new Blob(['12345678']));
      websocket.ping('abc', undefined, note('ping'));
      websocket.pong(Buffer.alloc(3), note('pong'));
      const counts = [websocket.readyState, websocket.bufferedAmount - before];
      await closed;
      return [...counts, websocket.bufferedAmount];
    });
  }
}

compare('a close frame while paused', async ({ websocket, peer, closed }) => {
  const seen = [];
  websocket.on('message', (data) => {
    seen.push(String(data));
    websocket.pause();
  });
  // What comes after a pause is not heard of: both frames in one packet.
  peer._socket.cork();
  peer.send('x');
  peer.close(1001, 'over');
  peer._socket.uncork();
  await closed;
  return [seen, websocket.isPaused];
});

for (const [name, leave] of Object.entries({
  'terminate()': (websocket) => websocket.terminate(),
  'destroy() of its socket': (websocket) => websocket._socket.destroy(),
  'destroy(error) of its socket': (websocket) => websocket._socket.destroy(new Error('boom'))
})) {
  compare(`what a paused WebSocket has not delivered, and ${name}`, async (connection) => {
    const { websocket, peer, closed } = connection;
    const seen = [];
    websocket.on('message', (data) => seen.push(String(data)));
    websocket.on('close', () => seen.push('close'));
    websocket.pause();
    await new Promise((resolve) => peer.send('one', resolve));
    await new Promise((resolve) => peer.send('two', resolve));
    await turns(5);
    leave(websocket);
    await closed;
    return [seen, websocket.isPaused];
  });

  compare(`a close frame that a paused WebSocket has not seen, and ${name}`, async (connection) => {
    const { websocket, peer, closed } = connection;
    websocket.pause();
    await new Promise((resolve) => peer.send('half', { fin: false }, resolve));
    peer.close(1001, 'over');
    await new Promise((resolve) => peer._sender.sendFrame([Buffer.alloc(0)], resolve));
    await turns(5);
    leave(websocket);
    await closed;
    return websocket.readyState;
  });

  compare(`errors of callbacks when a paused WebSocket ends by ${name}`, async (connection) => {
    const { websocket, peer, closed } = connection;
    websocket.pause();
    const errors = flood(websocket, peer);
    leave(websocket);
    await closed;
    return [[...errors], websocket.bufferedAmount];
  });
}

compare('the peer resets while a WebSocket is paused', async ({ websocket, peer, closed }) => {
  const seen = [];
  websocket.on('message', (data) => seen.push(String(data)));
  websocket.pause();
  await new Promise((resolve) => peer.send('one', resolve));
  await turns(5);
  peer._socket.resetAndDestroy();
  await closed;
  return [seen, websocket.isPaused, websocket.readyState];
});

compare(
  'the peer is gone while a message is being compressed',
  async ({ websocket, peer, closed }) => {
    const failed = [];
    const isFerrows = libraries.ferrows === websocket.constructor;
    const note = (what) => (error) => {
      const text = describeError(error);
      // A reactor compresses while the peer leaves.
      failed.push(`${what} ${text === COMPRESSING || (isFerrows && !error)}`);
    };
    const socket = websocket._socket;
    websocket.send('x'.repeat(5_000_000), note('large'));
    websocket.send('small', note('behind'));
    socket.destroy();
    await closed;
    // A pool of threads may still be at work.
    for (let turn = 0; failed.length < 2 && turn < 5000; turn++) await turns(1);
    void peer;
    return failed;
  },
  DEFLATE
);

for (const [name, args] of Object.entries({ 'no code': [], 1000: [1000], 3000: [3000, 'x'] })) {
  compare(`a close frame with ${name} is answered with the same`, async (connection) => {
    const { peer, closed } = connection;
    const seen = [];
    peer._receiver.on('conclude', (code, reason) => seen.push(`conclude ${code} ${reason}`));
    const over = new Promise((resolve) =>
      peer.on('close', (code, reason) => resolve(`close ${code} ${reason}`))
    );
    peer.close(...args);
    await closed;
    return [seen, await over];
  });
}

test.each(['terminate', 'close'])(
  'a message that came with the handshake, and %s() in its first event',
  async (method) => {
    const results = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const first = Buffer.from([0x81, 1, 0x61, 0x89, 1, 0x62, 0x81, 1, 0x63]);
      const server = await answeringServer(({ accept }) =>
        Buffer.concat([Buffer.from(switching(accept)), first])
      );
      const websocket = new WebSocket(server.url, { perMessageDeflate: false, closeTimeout: 50 });
      const seen = [];
      for (const event of ['message', 'ping', 'error']) {
        websocket.on(event, (data) => seen.push(`${event} ${data}`));
      }
      websocket.on('open', () => websocket[method]());
      await new Promise((resolve) => websocket.on('close', resolve));
      results[name] = [...seen, 'close'];
      await server.close();
    }
    expect(results.ferrows).toEqual(results.ws);
  }
);

const BAD = {
  masked: [0x81, 0x81, 0, 0, 0, 0, 0x78, 0x83, 0x80, 0, 0, 0, 0],
  plain: [0x81, 1, 0x78, 0x83, 0]
};

compare('an error while paused', async ({ websocket, peer, closed, isMasked }) => {
  websocket.on('message', () => websocket.pause());
  peer._socket.write(Buffer.from(isMasked ? BAD.plain : BAD.masked));
  await closed;
  return websocket.isPaused;
});

compare("a second error is nobody's", async ({ websocket, peer, closed, isMasked }) => {
  const bytes = isMasked ? BAD.plain : BAD.masked;
  peer._socket.write(Buffer.from([...bytes, ...bytes]));
  await once(websocket, 'error').catch(() => {});
  websocket._socket.emit('error', new Error('another'));
  await closed;
});

compare('a second error after a Blob that cannot be read', async ({ websocket, closed }) => {
  websocket.send({
    [Symbol.toStringTag]: 'Blob',
    size: 3,
    type: '',
    stream() {},
    arrayBuffer: () => Promise.reject(new Error('unreadable'))
  });
  websocket.send({
    [Symbol.toStringTag]: 'Blob',
    size: 3,
    type: '',
    stream() {},
    arrayBuffer: () => Promise.reject(new Error('unreadable, too'))
  });
  await closed;
});

compare('Blobs as payloads of control frames', async ({ websocket, peer, note, closed }) => {
  const seen = [];
  for (const event of ['ping', 'pong', 'message']) {
    peer.on(event, (data) => seen.push(`${event} ${data}`));
  }
  const mask = !websocket._isServer;
  websocket.ping(new Blob(['one']), undefined, note('ping'));
  websocket._sender.pong(new Blob(['two']), mask, note('pong'));
  websocket.send('three', note('send'));
  for (const send of [
    () => websocket.ping(new Blob(['x'.repeat(126)])),
    () => websocket._sender.ping(new Blob(['x'.repeat(126)]), mask)
  ]) {
    try {
      send();
    } catch (error) {
      seen.push(describeError(error));
    }
  }
  await new Promise((resolve) => websocket.send('last', resolve));
  websocket._sender.close(1001, 'cc', mask, note('close'));
  await once(peer, 'close');
  websocket.terminate();
  await closed;
  return seen;
});

// The reactor may know of the end when JavaScript has not heard of it yet.
for (const [name, ask] of Object.entries({
  bytesRead: (socket) => socket.bytesRead,
  _handle: (socket) => socket._handle
})) {
  compare(
    `a connection that is gone when ${name} is asked for`,
    async ({ websocket, peer, closed }) => {
      websocket.removeAllListeners('error');
      websocket.on('error', () => {});
      const { _socket: socket } = websocket;
      const gone = once(peer, 'close');
      peer._socket.resetAndDestroy();
      await gone;
      // Nobody lets the event loop tell.
      for (const end = Date.now() + 5; Date.now() < end;);
      void ask(socket);
      await closed;
    }
  );
}

test.each(Object.entries(libraries))(
  'generateMask makes the masks: %s',
  async (name, WebSocket) => {
    const { wss, port, close } = await serve(WebSocket, 'port');
    let calls = 0;
    const client = new WebSocket(`ws://127.0.0.1:${port}`, {
      perMessageDeflate: false,
      generateMask(mask) {
        calls++;
        mask.fill(7);
      }
    });
    const [server] = await once(wss, 'connection');
    const message = once(server, 'message');
    if (client.readyState !== WebSocket.OPEN) await once(client, 'open');
    client.ping('p');
    client.send('text');
    expect(String((await message)[0])).toBe('text');
    client.close();
    await once(client, 'close');
    expect(calls).toBe(3);
    await close();
  }
);
