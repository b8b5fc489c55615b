// Topics: the contract of docs/topics.md, on whatever transport and driver.

'use strict';

const { Duplex } = require('stream');
const { once } = require('events');

const WebSocket = require('../..');
const { crowd, framesBefore } = require('../support/crowd');
const { RawPeer, describe: describeFrame, frame, request } = require('../support/raw-peer');

let close = () => {};

afterEach(() => close());

async function gather(count, options, requestOptions) {
  const made = await crowd(WebSocket, count, options, requestOptions);
  ({ close } = made);
  return made;
}

/** What each peer got so far. */
function all(members) {
  return Promise.all(members.map((member) => framesBefore(member)));
}

describe('who gets what', () => {
  test('everybody who is subscribed, and of a WebSocket all but itself', async () => {
    const { wss, members } = await gather(4);
    for (const { ws } of members.slice(0, 3)) expect(ws.subscribe('news')).toBe(true);
    members[3].ws.subscribe('other');
    expect(wss.publish('news', 'a')).toBe(3);
    expect(members[0].ws.publish('news', 'b')).toBe(2);
    expect(members[3].ws.publish('news', 'c')).toBe(3);
    expect(wss.publish('new', 'd')).toBe(0);
    expect(wss.publish('news ', 'd')).toBe(0);
    expect(wss.publish('NEWS', 'd')).toBe(0);
    expect(await all(members)).toEqual([
      ['1: a', '1: c'],
      ['1: a', '1: b', '1: c'],
      ['1: a', '1: b', '1: c'],
      []
    ]);
  });

  test('nobody who is excepted', async () => {
    const { wss, members } = await gather(4);
    const [a, b, c, d] = members.map(({ ws }) => ws);
    for (const ws of [a, b, c]) ws.subscribe('t');
    expect(wss.publish('t', '1', { except: a })).toBe(2);
    expect(wss.publish('t', '2', { except: [a, b, b, d] })).toBe(1);
    expect(a.publish('t', '3', { except: new Set([b]) })).toBe(1);
    expect(a.publish('t', '4', { except: [a, b, c] })).toBe(0);
    expect(wss.publish('t', '5', { except: [] })).toBe(3);
    expect(wss.publish('t', '6', { except: d })).toBe(3);
    expect(wss.publish('t', '7', { except: null })).toBe(3);
    for (const except of [1, {}, 'ab', [a, null], [wss]]) {
      expect(() => wss.publish('t', 'x', { except })).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
      );
    }
    expect(await all(members)).toEqual([
      ['1: 5', '1: 6', '1: 7'],
      ['1: 1', '1: 5', '1: 6', '1: 7'],
      ['1: 1', '1: 2', '1: 3', '1: 5', '1: 6', '1: 7'],
      []
    ]);
  });

  test('who is a member when publish() is called', async () => {
    const { wss, members } = await gather(1);
    const [{ ws }] = members;
    wss.publish('t', '0');
    ws.subscribe('t');
    wss.publish('t', '1');
    ws.unsubscribe('t');
    wss.publish('t', '2');
    ws.subscribe('t');
    wss.publish('t', '3');
    expect(await all(members)).toEqual([['1: 1', '1: 3']]);
  });

  test('topics of two servers have nothing to do with each other', async () => {
    const one = await crowd(WebSocket, 1);
    const other = await gather(1);
    try {
      one.members[0].ws.subscribe('t');
      other.members[0].ws.subscribe('t');
      expect(one.wss.publish('t', 'x')).toBe(1);
      expect(await all(other.members)).toEqual([[]]);
    } finally {
      await one.close();
    }
  });
});

describe('order', () => {
  test('one line for all that is sent and published to a WebSocket', async () => {
    const { wss, members } = await gather(2);
    const [{ ws }, { ws: other }] = members;
    ws.subscribe('t');
    ws.send('1');
    wss.publish('t', '2');
    ws.ping('3');
    other.publish('t', '4');
    ws.send(Buffer.alloc(20000));
    wss.publish('t', '6');
    wss.publish('t', Buffer.alloc(30000));
    wss.publish('t', '8'.repeat(9000));
    ws.send('9');
    const expected = ['1: 1', '1: 2', '9: 3', '1: 4', '2: 20000 bytes', '1: 6'];
    expected.push('2: 30000 bytes', '1: 9000 bytes', '1: 9');
    expect(await all(members)).toEqual([expected, []]);
  });

  test('what was published before the end still comes, and nothing after it', async () => {
    const { wss, members } = await gather(1);
    const [{ ws, peer }] = members;
    ws.subscribe('t');
    wss.publish('t', 'x'.repeat(100));
    ws.unsubscribe('t');
    ws.subscribe('t');
    expect(wss.publish('t', Buffer.alloc(2 << 20))).toBe(1);
    ws.close(1000, 'bye');
    expect(wss.publish('t', 'late')).toBe(0);
    const seen = [await peer.nextFrame(), await peer.nextFrame(), await peer.nextFrame()];
    expect(seen.map(describeFrame)).toEqual(['1: 100 bytes', '2: 2097152 bytes', '8: \x03\xe8bye']);
  });

  test('a message in fragments is completed first', async () => {
    const { wss, members } = await gather(1);
    const [{ ws }] = members;
    ws.subscribe('t');
    ws.send('a', { fin: false });
    wss.publish('t', 'published');
    ws.ping('p');
    ws.send('b', { fin: false });
    wss.publish('t', Buffer.from('again'));
    // What waits for the last fragment counts.
    expect(ws.bufferedAmount).toBeGreaterThanOrEqual('published'.length + 'again'.length);
    ws.send('c');
    ws.send('d');
    expect(await all(members)).toEqual([
      ['part 1: a', '9: p', 'part 0: b', '0: c', '1: published', '2: again', '1: d']
    ]);
  });

  test('a Blob is read first', async () => {
    const { wss, members } = await gather(2);
    const [{ ws }, { ws: other }] = members;
    ws.subscribe('t');
    other.subscribe('t');
    ws.send('1');
    ws.send(new Blob(['2']));
    expect(wss.publish('t', '3')).toBe(2);
    ws.subscribe('u');
    ws.send('4');
    wss.publish('u', '5', { compress: false });
    const sent = new Promise((resolve) => ws.send(new Blob(['6']), resolve));
    wss.publish('t', '7');
    await sent;
    wss.publish('t', '8');
    ws.send('9');
    expect(await all(members)).toEqual([
      ['1: 1', '2: 2', '1: 3', '1: 4', '1: 5', '2: 6', '1: 7', '1: 8', '1: 9'],
      ['1: 3', '1: 7', '1: 8']
    ]);
  });

  test('a Blob within a message in fragments', async () => {
    const { wss, members } = await gather(1);
    const [{ ws }] = members;
    ws.subscribe('t');
    ws.send('a', { fin: false });
    const sent = new Promise((resolve) => ws.send(new Blob(['b']), { fin: false }, resolve));
    wss.publish('t', '1');
    await sent;
    wss.publish('t', '2');
    ws.send('c');
    const [seen] = await all(members);
    expect(seen).toEqual(['part 1: a', 'part 0: b', '0: c', '1: 1', '1: 2']);
  });

  test('a Blob that cannot be read ends the connection of its sender only', async () => {
    const { wss, members } = await gather(2);
    const [{ ws }, other] = members;
    ws.subscribe('t');
    other.ws.subscribe('t');
    const blob = Object.assign(new Blob(['x']), {
      arrayBuffer: () => Promise.reject(new Error('gone'))
    });
    members[0].peer.once('end', () => members[0].peer.socket.end());
    ws.send(blob);
    wss.publish('t', '1');
    await new Promise((resolve) => ws.on('close', resolve));
    expect(wss.publish('t', '2')).toBe(1);
    expect(await framesBefore(other)).toEqual(['1: 1', '1: 2']);
  });

  test('it survives that the connection is given back to Node', async () => {
    const { wss, members } = await gather(2);
    const [{ ws }, { ws: other }] = members;
    ws.subscribe('t');
    other.subscribe('t');
    wss.publish('t', '1');
    ws.send('a', { fin: false });
    wss.publish('t', '2');
    // Only a socket of Node's has such a handle.
    expect(ws._socket._handle.fd).toBeGreaterThan(0);
    wss.publish('t', '3');
    expect(ws.subscriptions).toEqual(['t']);
    ws.subscribe('u');
    ws.send('b');
    wss.publish('u', '4');
    ws.unsubscribe('t');
    wss.publish('t', '5');
    expect(await all(members)).toEqual([
      ['1: 1', 'part 1: a', '0: b', '1: 2', '1: 3', '1: 4'],
      ['1: 1', '1: 2', '1: 3', '1: 5']
    ]);
  });
});

describe('what is published', () => {
  test('anything that can be sent but a Blob', async () => {
    const { wss, members } = await gather(1);
    members[0].ws.subscribe('t');
    const bytes = new Uint8Array([104, 105]);
    const kinds = ['text', bytes, bytes.buffer, Buffer.from('b'), new DataView(bytes.buffer)];
    for (const data of [...kinds, 7, undefined, null, '', [104]]) wss.publish('t', data);
    wss.publish('t', 'text', { binary: true });
    wss.publish('t', Buffer.from('bytes'), { binary: false });
    wss.publish('t', 'grüße');
    const invalid = expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    for (const data of [new Blob(['x']), Symbol('x'), {}, true]) {
      expect(() => wss.publish('t', data)).toThrow(invalid);
      expect(() => wss.publish('nobody', data)).toThrow(invalid);
    }
    expect(await all(members)).toEqual([
      ['1: text', '2: hi', '2: hi', '2: b', '2: hi', '1: 7', '2: ', '2: ', '1: ', '2: h'].concat(
        '2: text',
        '1: bytes',
        `1: ${Buffer.from('grüße').toString('latin1')}`
      )
    ]);
  });

  test('what the caller does with its bytes afterwards changes nothing', async () => {
    const { wss, members } = await gather(1);
    const [{ ws }] = members;
    ws.subscribe('t');
    const small = Buffer.from('small');
    const large = Buffer.alloc(4 << 20, 'a');
    wss.publish('t', large);
    wss.publish('t', small);
    small.fill('x');
    large.fill('x');
    const first = await members[0].peer.nextFrame();
    expect(first.payload.equals(Buffer.alloc(4 << 20, 'a'))).toBe(true);
    expect(describeFrame(await members[0].peer.nextFrame())).toBe('2: small');
  });

  test('it counts as buffered until it is written', async () => {
    const { wss, members } = await gather(2);
    const [{ ws, peer }] = members;
    ws.subscribe('t');
    peer.socket.pause();
    const payload = Buffer.alloc(1 << 20);
    while (ws.bufferedAmount === 0) {
      wss.publish('t', payload);
      await new Promise(setImmediate);
    }
    const before = ws.bufferedAmount;
    wss.publish('t', payload);
    await new Promise(setImmediate);
    expect(ws.bufferedAmount).toBe(before + payload.length + 10);
    peer.socket.resume();
    await new Promise((resolve) => ws.ping('', false, resolve));
    expect(ws.bufferedAmount).toBe(0);
  });
});

describe('compression', () => {
  const TEXT = 'compressible, '.repeat(300);

  async function clients(wss, offers) {
    const opened = [];
    for (const perMessageDeflate of offers) {
      const connected = once(wss, 'connection');
      const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`, { perMessageDeflate });
      client.received = [];
      client.on('message', (data) => client.received.push(data.toString()));
      const [ws] = await connected;
      await once(client, 'open');
      opened.push({ ws, client });
    }
    return opened;
  }

  test('each as it was agreed on, and all get the same', async () => {
    const { wss } = await gather(0, { perMessageDeflate: { threshold: 0 } });
    const opened = await clients(wss, [
      { serverNoContextTakeover: true },
      { serverNoContextTakeover: true },
      { serverNoContextTakeover: true, serverMaxWindowBits: 9 },
      {},
      {},
      false
    ]);
    for (const { ws } of opened) ws.subscribe('t');
    const sent = [TEXT, 'short', 'x'.repeat(300000), TEXT.slice(7), ''];
    for (const data of sent) wss.publish('t', data);
    opened[0].ws.send('between');
    wss.publish('t', 'plain', { compress: false });
    wss.publish('t', TEXT);
    sent.push('plain', TEXT);
    for (const { ws, client } of opened) {
      ws.close();
      await once(client, 'close');
    }
    expect(opened[0].client.received).toEqual([...sent.slice(0, 5), 'between', ...sent.slice(5)]);
    for (const { client } of opened.slice(1)) expect(client.received).toEqual(sent);
  });

  test('who compresses alike gets the same bytes', async () => {
    const headers = {
      'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover'
    };
    const { wss, members } = await gather(3, { perMessageDeflate: true }, { headers });
    for (const { ws } of members) ws.subscribe('t');
    wss.publish('t', TEXT);
    wss.publish('t', 'below the threshold');
    wss.publish('t', TEXT, { compress: false });
    const frames = [];
    for (const { peer } of members) {
      frames.push([await peer.nextFrame(), await peer.nextFrame(), await peer.nextFrame()]);
    }
    expect(frames[1]).toEqual(frames[0]);
    expect(frames[2]).toEqual(frames[0]);
    expect(frames[0].map(({ rsv }) => rsv)).toEqual([4, 0, 0]);
    expect(frames[0][0].payload.length).toBeLessThan(200);
  });

  test('one that ends while it compresses costs the others nothing', async () => {
    const { wss } = await gather(0, {
      perMessageDeflate: { serverNoContextTakeover: true, threshold: 0 }
    });
    const opened = await clients(wss, [{}, {}, {}]);
    for (const { ws } of opened) ws.subscribe('t');
    const data = 'y'.repeat(1 << 20);
    wss.publish('t', data);
    opened[0].ws.terminate();
    for (const { ws, client } of opened.slice(1)) {
      ws.close();
      await once(client, 'close');
      expect(client.received).toEqual([data]);
    }
  });
});

describe('what there is', () => {
  test('both sides can be asked', async () => {
    const { wss, members } = await gather(2);
    const [{ ws }, { ws: other }] = members;
    expect([ws.subscriptions, wss.topics, wss.subscriberCount('a')]).toEqual([[], [], 0]);
    expect([ws.subscribe('a'), ws.subscribe('a'), ws.subscribe('b')]).toEqual([true, false, true]);
    other.subscribe('b');
    expect(ws.isSubscribed('a') && !other.isSubscribed('a') && !ws.isSubscribed('c')).toBe(true);
    expect([ws.subscriptions, other.subscriptions]).toEqual([['a', 'b'], ['b']]);
    expect([wss.topics, wss.subscriberCount('a'), wss.subscriberCount('b')]).toEqual([
      ['a', 'b'],
      1,
      2
    ]);
    expect([ws.unsubscribe('a'), ws.unsubscribe('a'), other.unsubscribe('a')]).toEqual([
      true,
      false,
      false
    ]);
    expect([wss.topics, wss.subscriberCount('a')]).toEqual([['b'], 0]);
    ws.terminate();
    expect([ws.subscriptions, ws.isSubscribed('b'), wss.subscriberCount('b')]).toEqual([
      [],
      false,
      1
    ]);
  });

  test('many topics of one WebSocket', async () => {
    const { wss, members } = await gather(2);
    const [{ ws }, { ws: other }] = members;
    const names = Array.from({ length: 300 }, (_, index) => `topic ${index}`);
    for (const name of names) {
      ws.subscribe(name);
      other.subscribe(name);
    }
    expect(ws.subscriptions.sort()).toEqual([...names].sort());
    const gone = names.filter((_, index) => index % 7 < 4);
    for (const name of gone) expect(ws.unsubscribe(name)).toBe(true);
    for (const name of names) {
      expect(wss.publish(name, name)).toBe(gone.includes(name) ? 1 : 2);
    }
    const left = names.filter((name) => !gone.includes(name));
    const texts = (list) => list.map((name) => `1: ${name}`);
    expect(await all(members)).toEqual([texts(left), texts(names)]);
    ws.close();
    expect(wss.subscriberCount(left[0])).toBe(1);
  });

  test("the event 'subscription'", async () => {
    const { wss, members } = await gather(2);
    const [{ ws }, { ws: other }] = members;
    const told = [];
    wss.on('subscription', (websocket, topic, count) => {
      told.push([members.findIndex((member) => member.ws === websocket), topic, count]);
    });
    ws.subscribe('a');
    other.subscribe('a');
    other.subscribe('b');
    ws.unsubscribe('a');
    expect(told.splice(0)).toEqual([
      [0, 'a', 1],
      [1, 'a', 2],
      [1, 'b', 1],
      [0, 'a', 1]
    ]);
    other.close();
    // What comes later is told later.
    ws.subscribe('a');
    expect(told.splice(0)).toEqual([
      [1, 'a', 0],
      [1, 'b', 0],
      [0, 'a', 1]
    ]);
    ws.terminate();
    await once(ws, 'close');
    expect(told).toEqual([[0, 'a', 0]]);
  });

  test('handlers may subscribe and publish', async () => {
    const { wss, members } = await gather(3);
    const told = [];
    wss.on('subscription', (websocket, topic, count) => {
      told.push(`${topic} ${count}`);
      wss.publish(topic, `${topic} ${count}`);
      if (topic === 'a') websocket.subscribe('b');
      if (topic === 'b' && count === 2) members[2].ws.subscribe('b');
    });
    members[0].ws.subscribe('a');
    members[1].ws.subscribe('a');
    expect(told).toEqual(['a 1', 'b 1', 'a 2', 'b 2', 'b 3']);
    members[0].ws.on('message', () => {
      wss.publish('b', 'from a handler');
      members[0].ws.unsubscribe('b');
      members[0].ws.publish('b', 'once more');
    });
    members[0].peer.send(frame(0x81, 'go'));
    await once(members[0].ws, 'message');
    expect(await all(members)).toEqual([
      ['1: a 1', '1: b 1', '1: a 2', '1: b 2', '1: b 3', '1: from a handler'],
      ['1: a 2', '1: b 2', '1: b 3', '1: from a handler', '1: b 2', '1: once more'],
      ['1: b 3', '1: from a handler', '1: b 2', '1: once more']
    ]);
  });

  test('a listener that throws costs the others no news', async () => {
    const { wss, members } = await gather(1);
    const told = [];
    wss.on('subscription', (_, topic) => {
      told.push(topic);
      if (topic === 'a') throw new Error('from a listener');
    });
    expect(() => members[0].ws.subscribe('a')).toThrow('from a listener');
    expect(members[0].ws.isSubscribed('a')).toBe(true);
    members[0].ws.subscribe('b');
    expect(told).toEqual(['a', 'b']);
    wss.removeAllListeners('subscription');
  });
});

describe('mistakes', () => {
  const names = [
    [5, 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [undefined, 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [null, 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [Symbol('t'), 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    [['t'], 'TypeError', 'ERR_INVALID_ARG_TYPE'],
    ['', 'TypeError', 'ERR_INVALID_ARG_VALUE'],
    ['a\ud800', 'TypeError', 'ERR_INVALID_ARG_VALUE'],
    ['\udc00\ud800', 'TypeError', 'ERR_INVALID_ARG_VALUE'],
    ['x'.repeat(65537), 'RangeError', 'ERR_OUT_OF_RANGE'],
    ['ü'.repeat(32769), 'RangeError', 'ERR_OUT_OF_RANGE']
  ];

  test('names that no topic can have change nothing', async () => {
    const { wss, members } = await gather(1);
    const [{ ws }] = members;
    for (const [name, error, code] of names) {
      const expected = expect.objectContaining({ name: error, code });
      const calls = [
        () => ws.subscribe(name),
        () => ws.unsubscribe(name),
        () => ws.isSubscribed(name),
        () => ws.publish(name, 'x'),
        () => wss.publish(name, 'x'),
        () => wss.subscriberCount(name)
      ];
      for (const call of calls) expect(call).toThrow(expected);
    }
    expect([ws.subscriptions, wss.topics]).toEqual([[], []]);
    for (const name of [
      'x'.repeat(65536),
      'ü'.repeat(32768),
      '\u{1f600}',
      ' ',
      '\0',
      '__proto__'
    ]) {
      expect([ws.subscribe(name), wss.publish(name, 'x')]).toEqual([true, 1]);
    }
    expect(ws.subscriptions).toHaveLength(6);
  });

  test('more subscriptions than the server allows', async () => {
    const { wss, members } = await gather(2, { maxSubscriptions: 2 });
    const [{ ws }, { ws: other }] = members;
    ws.subscribe('a');
    ws.subscribe('b');
    const tooMany = expect.objectContaining({
      name: 'RangeError',
      code: 'ERR_TOO_MANY_SUBSCRIPTIONS'
    });
    expect(() => ws.subscribe('c')).toThrow(tooMany);
    expect(ws.subscribe('b')).toBe(false);
    expect([ws.subscriptions, wss.topics]).toEqual([
      ['a', 'b'],
      ['a', 'b']
    ]);
    other.subscribe('c');
    ws.unsubscribe('a');
    expect(ws.subscribe('c')).toBe(true);
    expect(() => new WebSocket.Server({ noServer: true, maxSubscriptions: -1 })).toThrow(
      expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' })
    );
    expect(() => new WebSocket.Server({ noServer: true, maxSubscriptions: '9' })).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    );
  });

  test('a WebSocket that is no server’s', async () => {
    const { wss } = await gather(0);
    const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}`);
    const check = () => {
      const expected = expect.objectContaining({ name: 'Error', code: 'ERR_NO_TOPICS' });
      expect(() => client.subscribe('t')).toThrow(expected);
      expect(() => client.unsubscribe('t')).toThrow(expected);
      expect(() => client.publish('t', 'x')).toThrow(expected);
      expect([client.isSubscribed('t'), client.subscriptions]).toEqual([false, []]);
    };
    check();
    await once(client, 'open');
    check();
    expect(wss.publish('t', 'x', { except: client })).toBe(0);
    client.terminate();
  });

  test('one that closes', async () => {
    const { wss, members } = await gather(2);
    const [{ ws, peer }, other] = members;
    ws.subscribe('t');
    other.ws.subscribe('t');
    const closed = once(ws, 'close').then(() => {
      // What whoever is left is told.
      expect(ws.publish('t', 'it is gone')).toBe(1);
      expect([ws.subscribe('t'), ws.unsubscribe('t')]).toEqual([false, false]);
    });
    ws.close();
    expect([ws.subscribe('t'), ws.subscriptions]).toEqual([false, []]);
    expect(() => ws.subscribe('')).toThrow(TypeError);
    peer.send(frame(0x88));
    peer.socket.end();
    await closed;
    expect(await framesBefore(other)).toEqual(['1: it is gone']);
    expect(wss.subscriberCount('t')).toBe(1);
  });

  test('peers that are gone', async () => {
    const { wss, members } = await gather(3);
    for (const { ws } of members) ws.subscribe('t');
    const closed = members.slice(0, 2).map(({ ws }) => once(ws, 'close'));
    members[0].peer.socket.resetAndDestroy?.();
    members[0].peer.socket.destroy();
    members[1].peer.socket.destroy();
    for (let index = 0; index < 50; index++) wss.publish('t', Buffer.alloc(10000));
    await Promise.all(closed);
    expect(wss.subscriberCount('t')).toBe(1);
    expect(await framesBefore(members[2])).toEqual(Array(50).fill('2: 10000 bytes'));
  });
});

describe('what users have already', () => {
  test('members of these names are theirs', async () => {
    class Mine extends WebSocket {
      subscribe() {
        throw new Error('nobody is to call it');
      }
    }
    for (const name of ['unsubscribe', 'publish', 'isSubscribed']) {
      Mine.prototype[name] = Mine.prototype.subscribe;
    }
    class MyServer extends WebSocket.Server {
      publish() {
        throw new Error('nobody is to call it');
      }
    }
    const wss = new MyServer({ port: 0, host: '127.0.0.1', WebSocket: Mine });
    close = () => new Promise((resolve) => wss.close(resolve));
    await once(wss, 'listening');
    const connected = once(wss, 'connection');
    const peer = await RawPeer.connect(wss.address().port, request());
    const [ws] = await connected;
    ws.subscriptions = new Map([['a', 1]]);
    wss.topics = ['mine'];
    expect([ws.subscriptions.get('a'), wss.topics]).toEqual([1, ['mine']]);
    expect(Object.keys(ws)).toContain('subscriptions');
    const closed = once(ws, 'close');
    ws.close();
    peer.send(frame(0x88));
    peer.socket.end();
    await closed;
  });

  test('a Duplex of their own is a member as others', async () => {
    const { wss, members } = await gather(1);
    let written = '';
    const duplex = new Duplex({
      read() {},
      write(chunk, encoding, callback) {
        written += chunk.toString('latin1');
        callback();
      }
    });
    const head = {
      method: 'GET',
      headers: {
        upgrade: 'websocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13'
      },
      socket: duplex,
      url: '/'
    };
    let virtual;
    wss.handleUpgrade(head, duplex, Buffer.alloc(0), (ws) => (virtual = ws));
    virtual.subscribe('t');
    members[0].ws.subscribe('t');
    expect(wss.publish('t', 'x')).toBe(2);
    expect(virtual.publish('t', 'y')).toBe(1);
    expect(members[0].ws.publish('t', 'z')).toBe(1);
    expect(written.endsWith('\r\n\r\n\x81\x01x\x81\x01z')).toBe(true);
    expect(await all(members)).toEqual([['1: x', '1: y']]);
    duplex.destroy();
  });
});
