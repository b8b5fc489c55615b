// PerMessageDeflate, and Sender and Receiver with it: the same expectations for
// ws and for ferrows.

'use strict';

const zlib = require('zlib');
const { Duplex, PassThrough } = require('stream');
const { once } = require('events');

const { libraries } = require('../support/libraries');
const { frame } = require('../support/raw-peer');

const all = Object.entries(libraries);

function agreed({ PerMessageDeflate }, options, params = {}) {
  const deflate = new PerMessageDeflate(options);
  deflate.accept([params]);
  return deflate;
}

/** Resolves with [error, result] of a method with a callback. */
function outcome(deflate, method, ...args) {
  return new Promise((resolve) => deflate[method](...args, (...results) => resolve(results)));
}

describe.each(all)('PerMessageDeflate of %s', (name, library) => {
  test('compresses and decompresses, frame by frame', async () => {
    const [sender, receiver] = [agreed(library, { isServer: true }), agreed(library, {})];
    for (const message of ['one', 'one', '', 'three'.repeat(1000)]) {
      const data = Buffer.from(message);
      const half = data.length >> 1;
      const [, first] = await outcome(sender, 'compress', data.subarray(0, half), false);
      const [, second] = await outcome(sender, 'compress', data.subarray(half), true);
      const [, begin] = await outcome(receiver, 'decompress', first, false);
      const [, end] = await outcome(receiver, 'decompress', second, true);
      expect(Buffer.concat([begin, end]).toString()).toBe(message);
    }
    sender.cleanup();
    receiver.cleanup();
  });

  test('makes zlib streams when needed, with the options and the window agreed on', async () => {
    const deflate = agreed(
      library,
      {
        isServer: true,
        zlibDeflateOptions: { level: 9, memLevel: 5, windowBits: 14 },
        zlibInflateOptions: { chunkSize: 2048 }
      },
      { server_max_window_bits: ['10'] }
    );
    expect([deflate._deflate, deflate._inflate]).toEqual([null, null]);
    const [, data] = await outcome(deflate, 'compress', Buffer.from('x'.repeat(5000)), true);
    await outcome(deflate, 'decompress', data, true);
    expect(deflate._deflate).toBeInstanceOf(zlib.DeflateRaw);
    expect(deflate._deflate._level).toBe(9);
    expect(deflate._inflate).toBeInstanceOf(zlib.InflateRaw);
    expect(deflate._inflate._chunkSize).toBe(2048);
    deflate.cleanup();
    expect([deflate._deflate, deflate._inflate]).toEqual([null, null]);
  });

  test('forgets messages where the context is not taken over', async () => {
    const sizes = async (params) => {
      const deflate = agreed(library, { isServer: true }, params);
      const message = Buffer.from(JSON.stringify(Object.keys(process.versions)));
      const [, first] = await outcome(deflate, 'compress', message, true);
      const [, second] = await outcome(deflate, 'compress', message, true);
      deflate.cleanup();
      return second.length / first.length;
    };
    expect(await sizes({})).toBeLessThan(0.5);
    expect(await sizes({ server_no_context_takeover: [true] })).toBe(1);
  });

  test('reports broken data, and begins anew', async () => {
    const deflate = agreed(library, {});
    const [error] = await outcome(deflate, 'decompress', Buffer.from('06', 'hex'), true);
    expect(error).toMatchObject({ code: 'Z_DATA_ERROR', errno: -3, message: 'invalid block type' });
    const [, fine] = await outcome(
      deflate,
      'decompress',
      Buffer.from('f248cdc9c90700', 'hex'),
      true
    );
    expect(fine.toString()).toBe('Hello');
    deflate.cleanup();
  });

  test('stops at maxPayload', async () => {
    const bomb = zlib.deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: 2 });
    const deflate = agreed(library, { maxPayload: 1000 });
    const [error] = await outcome(deflate, 'decompress', bomb.subarray(0, -4), true);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({
      code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH',
      message: 'Max payload size exceeded'
    });
    deflate.cleanup();
  });

  test('goes on after a final block', async () => {
    const deflate = agreed(library, {});
    for (const message of ['one', 'two']) {
      const data = Buffer.concat([zlib.deflateRawSync(message), Buffer.from([0])]);
      const [error, result] = await outcome(deflate, 'decompress', data, true);
      expect([error, String(result)]).toEqual([null, message]);
    }
    deflate.cleanup();
  });

  test('says so when it is cleaned up in the middle of a compression', async () => {
    const deflate = agreed(library, {});
    const result = outcome(deflate, 'compress', Buffer.alloc(100000), true);
    deflate.cleanup();
    const [error] = await result;
    expect(error.message).toBe('The deflate stream was closed while data was being processed');
  });

  test('throws what zlib throws on options that zlib refuses', () => {
    const deflate = agreed(library, { zlibDeflateOptions: { level: 99 } });
    expect(() => deflate.compress(Buffer.from('x'), true, () => {})).toThrow('out of range');
  });
});

test('operations that come to nothing do not use the limit of the process up', async () => {
  const { ferrows } = libraries;
  for (let i = 0; i < 20; i++) {
    const refused = agreed(ferrows, { zlibDeflateOptions: { level: 99 } });
    expect(() => refused.compress(Buffer.from('x'), true, () => {})).toThrow('out of range');
    const closed = agreed(ferrows, {});
    closed.decompress(Buffer.from('f248cdc9c90700', 'hex'), true, () => {});
    closed.cleanup();
  }
  const deflate = agreed(ferrows, {});
  const [, result] = await outcome(deflate, 'decompress', Buffer.from([0]), true);
  expect(result).toHaveLength(0);
  deflate.cleanup();
});

describe.each(all)('Sender of %s with compression', (name, library) => {
  function connected(options, params) {
    const deflate = agreed(library, { isServer: true, threshold: 0, ...options }, params);
    const socket = new PassThrough();
    const sender = new library.Sender(socket, { 'permessage-deflate': deflate });
    return { deflate, sender, socket };
  }
  const text = { binary: false, compress: true, fin: true, mask: false };

  test('keeps everything in order behind a compression', async () => {
    const { sender, socket, deflate } = connected();
    const order = [];
    const done = (step) => () => order.push(step);
    sender.send('first', text, done('first'));
    expect(sender._state).toBe(1);
    expect(sender._bufferedBytes).toBe(5);
    sender.ping('ping', false, done('ping'));
    sender.send('plain', { ...text, compress: false }, done('plain'));
    await new Promise((resolve) => sender.close(1000, undefined, false, resolve));
    expect(order).toEqual(['first', 'ping', 'plain']);
    expect([sender._state, sender._bufferedBytes]).toEqual([0, 0]);
    const heads = [0xc1, 0x89, 0x81, 0x88];
    const bytes = socket.read();
    for (let at = 0; at < bytes.length; at += 2 + bytes[at + 1]) {
      expect(bytes[at]).toBe(heads.shift());
    }
    expect(heads).toEqual([]);
    deflate.cleanup();
  });

  test('fails what waits when the socket closes meanwhile', async () => {
    const { sender, socket, deflate } = connected();
    const failures = [];
    sender.send('a', text, (error) => failures.push(error.message));
    sender.send('b', text, (error) => failures.push(error.message));
    const last = new Promise((resolve) => sender.ping('c', false, resolve));
    socket.destroy();
    failures.push((await last).message);
    const message = 'The socket was closed while data was being compressed';
    expect(failures).toEqual([message, message, message]);
    deflate.cleanup();
  });

  test('leaves short messages alone where the context is not taken over', () => {
    const params = { server_no_context_takeover: [true] };
    const { sender, socket } = connected({ threshold: 4 }, params);
    sender.send('abc', text);
    expect(socket.read()[0]).toBe(0x81);
    sender.send(Buffer.from('€'), text);
    expect(socket.read()[0]).toBe(0x81);
    sender.send('€€', text);
    expect(sender._state).toBe(1);
  });

  test('does not mask what a user gave, compressed or not', async () => {
    const { sender, socket, deflate } = connected();
    const given = Buffer.from('given');
    await new Promise((resolve) => sender.send(given, { ...text, mask: true }, resolve));
    sender.ping(given, true);
    expect(given.toString()).toBe('given');
    expect(socket.read().length).toBeGreaterThan(10);
    deflate.cleanup();
  });
});

describe.each(all)('Receiver of %s with compression', (name, library) => {
  function receiving(options, params) {
    const deflate = agreed(library, { isServer: true, ...options }, params);
    const receiver = new library.Receiver({
      extensions: { 'permessage-deflate': deflate },
      isServer: true,
      ...options
    });
    return { deflate, receiver };
  }
  const hello = frame(0xc1, Buffer.from('f248cdc9c90700', 'hex'));

  test('delivers nothing before a frame that is being inflated', async () => {
    const { receiver, deflate } = receiving();
    const order = [];
    receiver.on('message', (data) => order.push(data.toString()));
    receiver.on('ping', (data) => order.push(`ping ${data}`));
    const concluded = once(receiver, 'conclude');
    receiver.write(Buffer.concat([hello, frame(0x89, 'x'), frame(0x81, 'plain'), frame(0x88, '')]));
    expect(order).toEqual([]);
    expect(receiver._state).toBe(5);
    await concluded;
    expect(order).toEqual(['Hello', 'ping x', 'plain']);
    deflate.cleanup();
  });

  test('reports what is broken, too large or no text', async () => {
    for (const [bytes, options, code] of [
      [frame(0xc1, Buffer.from('06', 'hex')), {}, 'Z_DATA_ERROR'],
      [hello, { maxPayload: 4 }, 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'],
      [frame(0xc1, Buffer.from('fa0700', 'hex')), {}, 'WS_ERR_INVALID_UTF8'],
      [frame(0x41, Buffer.from('06', 'hex')), {}, 'Z_DATA_ERROR']
    ]) {
      const { receiver, deflate } = receiving(options);
      receiver.write(bytes);
      const [error] = await once(receiver, 'error');
      expect(error.code).toBe(code);
      deflate.cleanup();
    }
  });
});

test('a compressed connection over any Duplex', async () => {
  const { ferrows } = libraries;
  const ends = [0, 1].map(
    (own) =>
      new Duplex({
        read() {},
        write(chunk, encoding, callback) {
          ends[1 - own].push(chunk);
          callback();
        },
        final(callback) {
          ends[1 - own].push(null);
          callback();
        }
      })
  );
  const wss = new ferrows.Server({ noServer: true, perMessageDeflate: { threshold: 0 } });
  const [near, far] = ends.map((socket, own) => {
    const websocket = new ferrows(null, undefined, own === 0 ? {} : wss.options);
    websocket._isServer = own === 1;
    const deflate = agreed(ferrows, { isServer: own === 1, threshold: 0 });
    websocket._extensions = { 'permessage-deflate': deflate };
    websocket.setSocket(socket, Buffer.alloc(0), { maxPayload: 0 });
    return websocket;
  });
  far.on('message', (data) => far.send(`${data} back`));
  near.send('there and');
  const [data] = await once(near, 'message');
  expect(data.toString()).toBe('there and back');
  const closed = [once(near, 'close'), once(far, 'close')];
  near.close(1000);
  await Promise.all(closed);
});
