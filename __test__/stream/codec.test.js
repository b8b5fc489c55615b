// Receiver, Sender and PerMessageDeflate, beside ws's.

'use strict';

const { Duplex } = require('stream');
const { MessageChannel, receiveMessageOnPort } = require('worker_threads');

const { libraries } = require('../support/libraries');
const { frame } = require('../support/raw-peer');

const { ws, ferrows } = libraries;

/** Runs a script with both libraries and expects the same trace. */
function same(title, script) {
  test(title, async () => {
    const traces = [];
    for (const library of [ws, ferrows]) {
      const trace = [];
      await script(library, (...parts) => trace.push(parts));
      traces.push(trace);
    }
    expect(traces[0]).not.toHaveLength(0);
    expect(traces[1]).toEqual(traces[0]);
  });
}

/** Waits for many more turns than anything here takes. */
async function turn() {
  for (let left = 100; left > 0; left--) await new Promise(setImmediate);
}

function note(receiver, trace) {
  receiver.on('message', (data, isBinary) => trace('message', data, isBinary));
  receiver.on('ping', (data) => trace('ping', data));
  receiver.on('pong', (data) => trace('pong', data));
  receiver.on('conclude', (code, reason) => trace('conclude', code, reason));
  receiver.on('finish', () => trace('finish'));
  receiver.on('error', (error) => trace('error', error.name, error.code, error.message));
}

const bytes = Buffer.concat([
  frame(0x81, 'text'),
  frame(0x02, 'one'),
  frame(0x89, 'ping'),
  frame(0x00),
  frame(0x80, 'two'),
  frame(0x82, Buffer.alloc(70000, 7)),
  frame(0x81),
  frame(0x82),
  frame(0x8a, 'pong'),
  frame(0x88, Buffer.from([0x03, 0xe8, 0x62]))
]);

describe.each(['nodebuffer', 'arraybuffer', 'fragments'])('a Receiver with %s', (binaryType) => {
  test.each([1, 7, 1000, 100000])('gives the same events for chunks of %d bytes', async (size) => {
    const traces = [];
    for (const { Receiver } of [ws, ferrows]) {
      const trace = [];
      const receiver = new Receiver({ isServer: true, binaryType });
      note(receiver, (...parts) => trace.push(parts));
      for (let at = 0; at < bytes.length; at += size) {
        receiver.write(Buffer.from(bytes.subarray(at, at + size)));
      }
      await turn();
      // One piece or several: what counts is that the fragments are those of the frames.
      const joined = trace.map(([event, data, ...rest]) => [
        event,
        Array.isArray(data) ? Buffer.concat(data) : data,
        ...rest
      ]);
      traces.push(joined);
    }
    expect(traces[0]).toHaveLength(9);
    expect(traces[1]).toEqual(traces[0]);
  });
});

same('blobs', async ({ Receiver }, trace) => {
  const receiver = new Receiver({ isServer: true, binaryType: 'blob' });
  const blobs = [];
  receiver.on('message', (data) => blobs.push(data));
  receiver.write(Buffer.concat([frame(0x82, 'bytes'), frame(0x82)]));
  await turn();
  for (const blob of blobs) trace(blob instanceof Blob, blob.type, await blob.text());
});

same('allowSynchronousEvents: false gives each event a turn', async ({ Receiver }, trace) => {
  const receiver = new Receiver({ isServer: true, allowSynchronousEvents: false });
  note(receiver, trace);
  receiver.on('message', () => process.nextTick(() => trace('tick')));
  receiver.write(Buffer.from(bytes), () => trace('written'));
  trace('returned');
  setImmediate(() => trace('immediate'));
  await turn();
});

same('several events in one tick otherwise', async ({ Receiver }, trace) => {
  const receiver = new Receiver({ isServer: true });
  note(receiver, trace);
  receiver.on('message', () => process.nextTick(() => trace('tick')));
  receiver.write(Buffer.from(bytes));
  trace('returned');
  await turn();
});

same('errors come once and nothing after them', async ({ Receiver }, trace) => {
  for (const [options, input] of [
    [{}, [0x81, 0x80, 0, 0, 0, 0]],
    [{ isServer: true }, [0x81, 0x00]],
    [{}, [0xc1, 0x00]],
    [{}, [0x83, 0x00]],
    [{ maxPayload: 3 }, [0x82, 0x04, 1, 2, 3, 4]],
    [{ maxFragments: 1 }, [0x01, 0x00, 0x80, 0x00, 0x81, 0x00]],
    [{}, [0x81, 0x01, 0xff]],
    [{ skipUTF8Validation: true }, [0x81, 0x01, 0xff]],
    [{}, [0x88, 0x02, 0x03, 0xed]]
  ]) {
    const receiver = new Receiver(options);
    note(receiver, trace);
    receiver.write(Buffer.from(input));
    await turn();
  }
});

test('a listener that throws reaches the writer, and later events still come', async () => {
  const receiver = new ferrows.Receiver({ isServer: true });
  const seen = [];
  receiver.on('message', (data) => {
    seen.push(data.toString());
    if (seen.length === 1) throw new Error('listener');
  });
  const input = Buffer.concat([frame(0x81, 'a'), frame(0x81, 'b')]);
  expect(() => receiver.write(input)).toThrow('listener');
  await turn();
  receiver.write(Buffer.from(frame(0x81, 'c')));
  expect(seen).toEqual(['a', 'b', 'c']);
});

test('whoever moves a message to another thread takes no other one with it', async () => {
  const receiver = new ferrows.Receiver({ isServer: true });
  const { port1, port2 } = new MessageChannel();
  const seen = [];
  receiver.on('message', (data) => {
    seen.push(data.toString());
    port1.postMessage(data, [data.buffer]);
    expect(data.length).toBe(0);
  });
  const texts = Array.from({ length: 150 }, (_, i) => `${i}`.repeat(1 + (i % 7)));
  const input = Buffer.concat(texts.map((text) => frame(0x81, text)));
  // Memory that can be moved, unlike that of Buffer's pool.
  for (const end of [input.length - 3, input.length]) {
    const start = end === input.length ? end - 3 : 0;
    receiver.write(Buffer.from(Uint8Array.from(input.subarray(start, end)).buffer));
    await turn();
  }
  expect(seen).toEqual(texts);
  for (const text of texts) {
    const { message } = receiveMessageOnPort(port2);
    expect(Buffer.from(message).toString()).toBe(text);
  }
  port1.close();
});

test('more events in a chunk than fit into one call', () => {
  const receiver = new ferrows.Receiver({ isServer: true });
  let count = 0;
  receiver.on('message', (data) => expect(data.toString()).toBe(String(count++)));
  receiver.write(Buffer.concat(Array.from({ length: 1000 }, (_, i) => frame(0x81, String(i)))));
  expect(count).toBe(1000);
});

test('a listener may write to another Receiver', () => {
  const [outer, inner] = [0, 1].map(() => new ferrows.Receiver({ isServer: true }));
  const seen = [];
  inner.on('message', (data) => seen.push(`inner ${data}`));
  outer.on('message', (data) => {
    seen.push(`outer ${data}`);
    inner.write(frame(0x81, `${data}!`));
  });
  outer.write(Buffer.concat([frame(0x81, 'a'), frame(0x81, 'b')]));
  expect(seen).toEqual(['outer a', 'inner a!', 'outer b', 'inner b!']);
});

const zeroMask = () => {};
const fixedMask = (key) => key.set([1, 2, 3, 4]);

same('Sender.frame()', ({ Sender }, trace) => {
  for (const length of [0, 1, 125, 126, 65535, 65536]) {
    for (const mask of [false, true]) {
      for (const readOnly of [false, true]) {
        for (const generateMask of [zeroMask, fixedMask]) {
          const data = Buffer.alloc(length, 9);
          const list = Sender.frame(data, {
            fin: true,
            generateMask,
            mask,
            maskBuffer: Buffer.alloc(4),
            opcode: 2,
            readOnly,
            rsv1: length === 1
          });
          trace(length, mask, readOnly, list, data[0]);
        }
      }
    }
  }
  trace(Sender.frame('grün', { fin: false, mask: false, opcode: 1 }));
});

class Mock {
  constructor(trace) {
    this.trace = trace;
  }

  cork() {}

  uncork() {}

  write(data, callback) {
    this.trace('write', Buffer.from(data));
    if (callback) callback();
  }
}

same('a Sender', async ({ Sender }, trace) => {
  const sender = new Sender(new Mock(trace), {}, fixedMask);
  const plain = { binary: false, compress: false, fin: true, mask: false };
  const done = (name) => () => trace('done', name);
  sender.send('text', plain, done('text'));
  sender.send(Buffer.from('bytes'), { ...plain, binary: true, mask: true }, done('bytes'));
  sender.send('part', { ...plain, fin: false }, done('part'));
  sender.ping('ping', false, done('ping'));
  sender.send(new Uint8Array([1, 2]), { ...plain, binary: true }, done('rest'));
  sender.pong(Buffer.alloc(0), true, done('pong'));
  sender.send(new Blob(['blob']), { ...plain, binary: true }, done('blob'));
  sender.send('behind', plain, done('behind'));
  trace('state', sender._state, sender._bufferedBytes, sender._queue.length);
  sender.close(1000, 'bye', true, done('close'));
  await turn();
  await turn();
  trace('state', sender._state, sender._bufferedBytes, sender._queue.length);
  for (const wrong of [() => sender.ping(Buffer.alloc(126)), () => sender.close(999)]) {
    try {
      wrong();
    } catch (error) {
      trace(error.name, error.message);
    }
  }
});

same('a Blob that cannot be read', async ({ Sender }, trace) => {
  const sender = new Sender(new Mock(trace), {});
  const blob = new Blob(['x']);
  blob.arrayBuffer = () => Promise.reject(new Error('unreadable'));
  const plain = { binary: true, compress: false, fin: true, mask: false };
  sender.onerror = (error) => trace('onerror', error.message);
  sender.send(blob, plain, (error) => trace('blob', error.message));
  sender.send('behind', plain, (error) => trace('behind', error.message));
  await turn();
});

describe('PerMessageDeflate', () => {
  const server = { isServer: true };
  same('offers', ({ PerMessageDeflate }, trace) => {
    for (const options of [
      {},
      { serverNoContextTakeover: true, clientNoContextTakeover: true },
      { clientMaxWindowBits: 10, serverMaxWindowBits: 11 },
      { clientMaxWindowBits: false }
    ]) {
      trace(new PerMessageDeflate(options).offer());
    }
    trace(PerMessageDeflate.extensionName);
  });

  same('accepts and refuses', ({ PerMessageDeflate, extension }, trace) => {
    for (const [options, header] of [
      [server, 'permessage-deflate'],
      [server, 'permessage-deflate; client_max_window_bits'],
      [server, 'permessage-deflate; client_max_window_bits=9; server_max_window_bits=9'],
      [server, 'permessage-deflate; server_no_context_takeover, permessage-deflate'],
      [
        { ...server, serverNoContextTakeover: false },
        'permessage-deflate; server_no_context_takeover'
      ],
      [{ ...server, clientMaxWindowBits: 12 }, 'permessage-deflate; client_max_window_bits=10'],
      [{ ...server, clientMaxWindowBits: 12 }, 'permessage-deflate; client_max_window_bits'],
      [{ ...server, serverMaxWindowBits: 12 }, 'permessage-deflate; server_max_window_bits=10'],
      [{ ...server, serverMaxWindowBits: false }, 'permessage-deflate; server_max_window_bits=10'],
      [server, 'permessage-deflate; server_max_window_bits=7'],
      [server, 'permessage-deflate; server_max_window_bits'],
      [server, 'permessage-deflate; server_no_context_takeover=1'],
      [server, 'permessage-deflate; foo'],
      [server, 'permessage-deflate; client_max_window_bits=8; client_max_window_bits=9'],
      [{}, 'permessage-deflate; client_max_window_bits'],
      [{ clientMaxWindowBits: 10 }, 'permessage-deflate'],
      [{ clientMaxWindowBits: 10 }, 'permessage-deflate; client_max_window_bits=11'],
      [{ clientNoContextTakeover: false }, 'permessage-deflate; client_no_context_takeover']
    ]) {
      const deflate = new PerMessageDeflate(options);
      try {
        trace(
          header,
          deflate.accept(extension.parse(header)['permessage-deflate']),
          deflate.params
        );
      } catch (error) {
        trace(header, error.name, error.message);
      }
    }
  });
});

same('frames that are built elsewhere', async ({ Sender }, trace) => {
  const socket = new Duplex({
    read() {},
    write(chunk, encoding, callback) {
      trace(chunk);
      callback();
    }
  });
  const sender = new Sender(socket, {});
  sender.sendFrame([Buffer.from('head'), Buffer.from('body')], () => trace('done'));
  sender.sendFrame([Buffer.from('whole')]);
  await turn();
});
