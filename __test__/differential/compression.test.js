// permessage-deflate: what is negotiated, what goes over the wire, what is
// reported, with ws and with ferrows.

'use strict';

const http = require('http');
const zlib = require('zlib');
const { once } = require('events');

const { compare } = require('./run');
const { RawPeer, frame, request } = require('../support/raw-peer');
const { answeringServer, switching } = require('../support/peers');
const { libraries } = require('../support/libraries');

const TRAILER = Buffer.from([0, 0, 0xff, 0xff]);
const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
const bye = frame(0x88, Buffer.from([0x03, 0xe8]));

/** The payload of a compressed message. */
function deflated(data, options) {
  const bytes = zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options });
  return bytes.subarray(0, bytes.length - TRAILER.length);
}

/** What compressed frames contain, in their order. */
class Inflation {
  constructor() {
    this.stream = zlib.createInflateRaw();
    this.chunks = [];
    this.stream.on('data', (chunk) => this.chunks.push(chunk));
  }

  async add(payload, fin = true) {
    this.stream.write(payload);
    if (fin) this.stream.write(TRAILER);
    await new Promise((resolve) => this.stream.flush(resolve));
    return Buffer.concat(this.chunks.splice(0)).toString();
  }
}

/** A connection of a raw peer that offered compression. */
async function connected({ wss, port }, headers = OFFER) {
  const connection = once(wss, 'connection');
  const peer = await RawPeer.open(port, { headers });
  const [websocket] = await connection;
  return { websocket, peer };
}

async function over(websocket, peer) {
  const closed = new Promise((resolve) => websocket.on('close', resolve));
  // The end of the peer's side could overtake messages that ws inflates meanwhile.
  const frames = await peer.rest();
  peer.socket.end();
  await closed;
  return frames;
}

describe('negotiation', () => {
  const offers = [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; client_max_window_bits=10; server_max_window_bits=9',
    'permessage-deflate; server_max_window_bits="12"',
    'permessage-deflate; server_max_window_bits=0xa',
    'permessage-deflate; server_max_window_bits=8; client_max_window_bits=8',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; server_max_window_bits=10, permessage-deflate',
    'foo, permessage-deflate; server_no_context_takeover, bar; baz=1',
    'foo; permessage-deflate',
    'PERMESSAGE-DEFLATE',
    'permessage-deflate; server_max_window_bits',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; server_max_window_bits=16',
    'permessage-deflate; client_max_window_bits=10.5',
    'permessage-deflate; server_no_context_takeover=1',
    'permessage-deflate; client_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; unknown',
    'permessage-deflate; __proto__',
    'permessage-deflate; constructor=1',
    '__proto__; toString',
    'permessage-deflate; a b',
    'permessage-deflate,',
    ' permessage-deflate',
    ''
  ];
  const settings = {
    off: { perMessageDeflate: false },
    on: { perMessageDeflate: true },
    'no takeover': {
      perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true }
    },
    'takeover demanded': { perMessageDeflate: { serverNoContextTakeover: false } },
    'small windows': { perMessageDeflate: { serverMaxWindowBits: 10, clientMaxWindowBits: 11 } },
    'full windows': {
      perMessageDeflate: { serverMaxWindowBits: false, clientMaxWindowBits: false }
    }
  };

  for (const [name, options] of Object.entries(settings)) {
    compare(
      `of offers, ${name}`,
      async ({ wss, port, trace }) => {
        wss.on('connection', (websocket) => {
          trace.push(`extensions ${JSON.stringify(websocket.extensions)}`);
          const { 'permessage-deflate': deflate } = websocket._extensions;
          if (deflate) trace.push(JSON.stringify(deflate.params));
        });
        for (const offer of offers) {
          const headers = { 'Sec-WebSocket-Extensions': offer };
          const peer = await RawPeer.connect(port, request({ headers }));
          await peer.headers();
          trace.push(`${offer} → ${peer.head.replace(/Date:.*\r\n/, '')}`);
          peer.socket.destroy();
        }
      },
      options
    );
  }

  const answers = [
    'permessage-deflate',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
    'permessage-deflate; client_max_window_bits=9',
    'permessage-deflate; server_max_window_bits=9',
    'permessage-deflate, permessage-deflate; server_max_window_bits=99',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; unknown',
    'permessage-deflate, other',
    'other',
    'permessage-deflate; =',
    ''
  ];
  const clients = {
    default: {},
    off: { perMessageDeflate: false },
    'no takeover': {
      perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true }
    },
    'takeover demanded': { perMessageDeflate: { clientNoContextTakeover: false } },
    'small windows': { perMessageDeflate: { serverMaxWindowBits: 10, clientMaxWindowBits: 11 } },
    'full windows': { perMessageDeflate: { clientMaxWindowBits: false } }
  };

  test.each(Object.entries(clients))('of answers, %s', async (name, options) => {
    const traces = {};
    for (const [library, WebSocket] of Object.entries(libraries)) {
      const trace = (traces[library] = []);
      for (const answer of answers) {
        const server = await answeringServer(({ accept, head }) => {
          trace.push((/^sec-websocket-extensions.*$/im.exec(head) || ['no offer'])[0].trim());
          return switching(accept, `Sec-WebSocket-Extensions: ${answer}`);
        });
        const websocket = new WebSocket(server.url, options);
        await new Promise((resolve) => {
          websocket.on('open', () => {
            const { 'permessage-deflate': deflate } = websocket._extensions;
            trace.push(`${answer} → ${websocket.extensions} ${JSON.stringify(deflate.params)}`);
            websocket.terminate();
          });
          websocket.on('error', (error) => trace.push(`${answer} → ${error.message}`));
          websocket.on('close', resolve);
        });
        await server.close();
      }
    }
    expect(traces.ferrows).toEqual(traces.ws);
  });
});

describe('received', () => {
  const check = (title, bytes, options = {}) => {
    compare(
      title,
      async (context) => {
        const { websocket, peer } = await connected(context);
        context.watch(websocket, context.trace);
        peer.send(Buffer.concat(bytes));
        peer.send(bye);
        context.trace.push(...(await over(websocket, peer)));
      },
      { perMessageDeflate: true, ...options }
    );
  };
  const again = frame(0xc1, Buffer.from('f200110000', 'hex'));

  check('messages in a row share a window', [frame(0xc1, deflated('Hello')), again]);
  check('text, binary, plain and empty', [
    frame(0xc1, deflated('text')),
    frame(0xc2, deflated('binary')),
    frame(0x81, 'plain'),
    frame(0xc1, deflated('')),
    frame(0xc2, '')
  ]);
  check('fragments with a ping between', [
    frame(0x41, deflated('Hello ').subarray(0, 3)),
    frame(0x89, 'ping'),
    frame(0x80, deflated('Hello ').subarray(3))
  ]);
  check('a final block', [
    frame(0xc1, Buffer.concat([zlib.deflateRawSync('last'), Buffer.from([0])])),
    frame(0xc1, deflated('next'))
  ]);
  for (const broken of ['06', '0000000000', 'fc0000', '0400feff', '040024e9ff6d', '027effff']) {
    check(`broken data ${broken}`, [frame(0xc1, Buffer.from(broken, 'hex')), frame(0x81, 'after')]);
  }
  check('invalid UTF-8', [frame(0xc1, deflated(Buffer.from([0xc3, 0x28])))]);
  check('invalid UTF-8 unchecked', [frame(0xc1, deflated(Buffer.from([0xc3, 0x28])))], {
    skipUTF8Validation: true
  });
  check('more than the limit, inflated', [frame(0xc1, deflated('x'.repeat(2000)))], {
    maxPayload: 1000
  });
  check('exactly the limit', [frame(0xc1, deflated('x'.repeat(1000)))], { maxPayload: 1000 });
  check(
    'more than the limit in fragments',
    [
      frame(0x41, Buffer.concat([deflated('x'.repeat(600)), TRAILER])),
      frame(0x80, deflated('x'.repeat(600)))
    ],
    { maxPayload: 1000 }
  );
  check('RSV1 on a continuation', [frame(0x41, deflated('a')), frame(0xc0, deflated('b'))]);
  check('RSV1 on a ping', [frame(0xc9, 'x')]);
  check('RSV1 without the extension', [frame(0xc1, deflated('a'))], { perMessageDeflate: false });
  check('one event a turn', [frame(0xc1, deflated('a')), frame(0xc2, deflated('b'))], {
    allowSynchronousEvents: false
  });

  test.each(['fragments', 'arraybuffer'])('as %s', async (binaryType) => {
    const seen = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', perMessageDeflate: true });
      await once(wss, 'listening');
      const context = { wss, port: wss.address().port };
      const { websocket, peer } = await connected(context);
      websocket.binaryType = binaryType;
      const message = once(websocket, 'message');
      const parts = [deflated('first'), deflated('second')];
      peer.send(frame(0x42, Buffer.concat([parts[0], TRAILER])));
      peer.send(frame(0x80, parts[1]));
      const [data] = await message;
      seen[name] = Array.isArray(data) ? data.map(String) : Buffer.from(data).toString();
      peer.socket.destroy();
      await new Promise((resolve) => wss.close(resolve));
    }
    expect(seen.ferrows).toEqual(seen.ws);
  });
});

describe('sent', () => {
  /** What a raw peer gets: frame heads, and what the payloads contain. */
  async function contents(frames) {
    const inflation = new Inflation();
    const lines = [];
    let compressed = false;
    for (const { fin, rsv, opcode, payload } of frames) {
      if (opcode === 1 || opcode === 2) compressed = rsv === 4;
      const inflates = compressed && opcode < 3;
      const text = inflates ? await inflation.add(payload, fin) : payload.toString('latin1');
      lines.push(`fin ${fin} rsv ${rsv} opcode ${opcode} ${text.slice(0, 60)} (${text.length})`);
    }
    return lines;
  }

  const check = (title, send, options = {}, headers = OFFER) => {
    compare(
      title,
      async (context) => {
        const { websocket, peer } = await connected(context, headers);
        const { trace } = context;
        const frames = [];
        const closing = new Promise((resolve) => {
          peer.on('frame', (received) => {
            frames.push(received);
            if (received.opcode === 8) resolve();
          });
        });
        await send(websocket, trace);
        websocket.close(1000);
        await closing;
        trace.push(`buffered ${websocket.bufferedAmount}`);
        peer.send(bye);
        await over(websocket, peer);
        trace.push(...(await contents(frames)));
      },
      { perMessageDeflate: true, ...options }
    );
  };
  const noTakeover = {
    'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover'
  };
  const everything = (websocket) => {
    websocket.send('short');
    websocket.send('x'.repeat(3000));
    websocket.send('');
    websocket.send(Buffer.from('binary'));
    websocket.ping('ping');
    websocket.send('plain', { compress: false });
    websocket.send('first', { fin: false });
    websocket.pong('between');
    websocket.send('second', { fin: false, compress: false });
    websocket.send('third', { fin: true });
    websocket.send('plain first', { fin: false, compress: false });
    websocket.send('plain second', { fin: true, compress: true });
    websocket.send(new Blob(['a blob']));
    websocket.send('undefined', { compress: undefined });
  };

  check('everything in order', everything);
  check('without takeover, below and above the threshold', everything, {}, noTakeover);
  check('without takeover or threshold', everything, {
    perMessageDeflate: { threshold: 0, serverNoContextTakeover: true }
  });
  check('with options of zlib', everything, {
    perMessageDeflate: {
      threshold: 5,
      zlibDeflateOptions: { level: 1, memLevel: 3, strategy: 2, chunkSize: 1024 },
      zlibInflateOptions: { chunkSize: 10 * 1024 }
    }
  });
  check('with the smallest window', everything, {
    perMessageDeflate: { serverMaxWindowBits: 8 }
  });
  check(
    'fragments without takeover keep their stream',
    (websocket) => {
      for (const part of ['one ', 'two ', 'one two ']) websocket.send(part, { fin: false });
      websocket.send('end');
      websocket.send('again', { fin: true });
    },
    { perMessageDeflate: { serverNoContextTakeover: true, threshold: 0 } }
  );
  check('callbacks in order', async (websocket, trace) => {
    const done = (name) => () => trace.push(name);
    websocket.send('a'.repeat(5000), done('a'));
    websocket.send('b', { compress: false }, done('b'));
    websocket.ping('c', undefined, done('c'));
    await new Promise((resolve) => websocket.send('d', resolve));
  });
});

test('a dictionary, which only zlib of Node knows, works in port mode', async () => {
  const dictionary = Buffer.from('a dictionary for both ends');
  const perMessageDeflate = {
    threshold: 0,
    zlibDeflateOptions: { dictionary },
    zlibInflateOptions: { dictionary }
  };
  const { ferrows, ws } = libraries;
  const wss = new ferrows.Server({ port: 0, host: '127.0.0.1', perMessageDeflate });
  await once(wss, 'listening');
  wss.on('connection', (websocket) => {
    websocket.on('message', (data) => websocket.send(data.toString()));
  });
  for (const WebSocket of [ws, ferrows]) {
    const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`, { perMessageDeflate });
    await once(client, 'open');
    client.send('a dictionary for both');
    const [data] = await once(client, 'message');
    expect(data.toString()).toBe('a dictionary for both');
    client.terminate();
  }
  await new Promise((resolve) => wss.close(resolve));
});

test('ws and ferrows understand each other, both ways, whatever is agreed on', async () => {
  const { ferrows, ws } = libraries;
  const message = JSON.stringify(Array.from({ length: 200 }, (_, id) => ({ id, name: `n${id}` })));
  for (const [Server, Client] of [
    [ws, ferrows],
    [ferrows, ws]
  ]) {
    for (const bits of [8, 9, 12, 15]) {
      for (const noTakeover of [true, undefined]) {
        const perMessageDeflate = {
          threshold: 0,
          serverMaxWindowBits: bits,
          clientMaxWindowBits: bits,
          serverNoContextTakeover: noTakeover,
          clientNoContextTakeover: noTakeover
        };
        const options = { port: 0, host: '127.0.0.1', perMessageDeflate };
        const wss = new Server.Server(options);
        await once(wss, 'listening');
        wss.on('connection', (websocket) => {
          websocket.on('message', (data, binary) => websocket.send(data, { binary }));
        });
        const url = `ws://127.0.0.1:${wss.address().port}`;
        const client = new Client(url, { perMessageDeflate });
        await once(client, 'open');
        expect(client.extensions).toBe('permessage-deflate');
        const got = [];
        const all = new Promise((resolve) => {
          client.on('message', (data) => got.push(data.toString()) === 3 && resolve());
        });
        for (let i = 0; i < 3; i++) client.send(message);
        await all;
        expect(got).toEqual([message, message, message]);
        client.terminate();
        await new Promise((resolve) => wss.close(resolve));
      }
    }
  }
});

test('a connection that was silent goes on with its context', async () => {
  const { ferrows, ws } = libraries;
  // Workers give the memory of silent connections back after one to two seconds.
  const silence = () => new Promise((resolve) => setTimeout(resolve, 2300));
  const message = JSON.stringify(process.config);
  for (const [Server, Client] of [
    [ferrows, ws],
    [ws, ferrows]
  ]) {
    const options = { port: 0, host: '127.0.0.1', perMessageDeflate: true };
    const wss = new Server.Server(options);
    await once(wss, 'listening');
    const sizes = [];
    wss.on('connection', (websocket) => {
      websocket.on('message', (data) => websocket.send(data.toString()));
    });
    const client = new Client(`ws://127.0.0.1:${wss.address().port}`);
    await once(client, 'open');
    for (let round = 0; round < 4; round++) {
      const before = client._socket.bytesRead;
      client.send(message);
      const [data] = await once(client, 'message');
      expect(data.toString()).toBe(message);
      sizes.push(client._socket.bytesRead - before);
      if (round % 2 === 0) await silence();
    }
    // Only Node's own socket counts what a ferrows server sent.
    if (Client === ws) expect(Math.max(...sizes.slice(1))).toBeLessThan(sizes[0] / 2);
    client.terminate();
    await new Promise((resolve) => wss.close(resolve));
  }
}, 20000);

test('an upgrade of a plain http server may change the options for one connection', async () => {
  const { ferrows } = libraries;
  const wss = new ferrows.Server({ noServer: true, perMessageDeflate: false });
  const server = http.createServer();
  server.on('upgrade', (message, socket, head) => {
    wss.options.perMessageDeflate = message.url === '/deflate' ? { threshold: 0 } : false;
    wss.handleUpgrade(message, socket, head, (websocket) => websocket.send(websocket.extensions));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  const answers = [];
  for (const path of ['/deflate', '/plain']) {
    const client = new ferrows(`ws://127.0.0.1:${port}${path}`);
    const [data] = await once(client, 'message');
    answers.push(data.toString());
    client.terminate();
  }
  expect(answers).toEqual(['permessage-deflate', '']);
  await new Promise((resolve) => server.close(resolve));
});
