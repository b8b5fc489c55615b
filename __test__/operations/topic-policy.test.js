// Topics with limits of their own, on both transports. The rules are tested in memory:
// src/reactor/tests/backlog.rs.

'use strict';

const { once } = require('events');
const { Worker } = require('worker_threads');

const WebSocket = require('../..');
const { crowd } = require('../support/crowd');

jest.setTimeout(120000);

const KIB = 1024;
const SIZE = 8 * KIB;
const LIMIT = 64 * KIB;
// What a message takes on the wire.
const FRAME = SIZE + 4;
// More than any of it takes on a busy machine, less than jest waits for a test.
const PATIENCE = 100000;

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

const tick = () => new Promise(setImmediate);

async function settled(condition) {
  for (const end = Date.now() + PATIENCE; !condition();) {
    if (Date.now() > end) throw new Error(`it never came that ${condition}`);
    await tick();
  }
}

async function serve(count, options) {
  const served = await crowd(WebSocket, count, options);
  cleanUp.push(served.close);
  for (const member of served.members) {
    member.dropped = { messages: 0, bytes: 0 };
    member.ws.on('dropped', (messages, bytes) => {
      member.dropped.messages += messages;
      member.dropped.bytes += bytes;
    });
  }
  return served;
}

const numbered = (prefix, number) => `${prefix}${number} `.padEnd(SIZE);

/** What a peer gets until the connection closes, without what fills it up, and the status code. */
async function readAll({ peer }) {
  peer.socket.resume();
  const got = [];
  for (;;) {
    const { opcode, payload } = await peer.nextFrame();
    if (opcode === 8) {
      peer.socket.destroy();
      return { got, code: payload.readUInt16BE(0) };
    }
    got.push(String(payload).trim());
  }
}

const numbersOf = (got, prefix) =>
  got.filter((text) => text[0] === prefix).map((text) => Number(text.slice(1)));

describe.each(['drop-newest', 'drop-oldest', 'latest', 'buffer'])('%s', (onBackpressure) => {
  test('holds for its topic, and for nothing else', async () => {
    const topicPolicy = (topic) =>
      topic === 'limited' ? { maxBackpressure: LIMIT, onBackpressure } : undefined;
    const { members, wss } = await serve(1, { topicPolicy });
    const [member] = members;
    const { dropped, peer, ws } = member;
    ws.subscribe('limited');
    ws.subscribe('free');
    peer.socket.pause();
    let count = 0;
    // Until the kernel takes no more, and then as much as was limited, twice.
    let others = 0;
    const publish = () => {
      wss.publish('limited', numbered('l', count++));
      if (count % 10 !== 0) return;
      wss.publish('free', numbered('f', others));
      ws.send(numbered('s', others++));
    };
    await settled(() => {
      publish();
      return dropped.messages > 0 || (onBackpressure === 'buffer' && ws.bufferedAmount > 4 * LIMIT);
    });
    for (let i = 0; i < 40; i++) publish();
    const closed = once(ws, 'close');
    ws.close(1000);
    const { code, got } = await readAll(member);
    expect(code).toBe(1000);
    // What was dropped is told before the end.
    await closed;
    const limited = numbersOf(got, 'l');
    const all = Array.from({ length: others }, (_, index) => index);
    expect(numbersOf(got, 'f')).toEqual(all);
    expect(numbersOf(got, 's')).toEqual(all);
    expect(limited).toEqual([...limited].sort((a, b) => a - b));
    expect(limited.length + dropped.messages).toBe(count);
    expect(dropped.bytes).toBe(dropped.messages * SIZE);
    if (onBackpressure === 'buffer') expect(dropped.messages).toBe(0);
    else if (onBackpressure === 'drop-newest') expect(limited).not.toContain(count - 1);
    else expect(limited[limited.length - 1]).toBe(count - 1);
    const counts = Object.entries(wss.metrics().dropped.policies);
    expect(counts.length).toBeGreaterThan(3);
    const nothing = { messages: 0, bytes: 0 };
    for (const [policy, count] of counts) {
      expect([policy, count]).toEqual([policy, policy === onBackpressure ? dropped : nothing]);
    }
  });
});

test('a topic may close who does not read it', async () => {
  const topicPolicy = () => ({ maxBackpressure: LIMIT, onBackpressure: 'close' });
  const { members, wss } = await serve(2, { topicPolicy });
  const [slow, other] = members;
  for (const { ws } of members) ws.subscribe('limited');
  slow.peer.socket.pause();
  const healthy = [];
  other.ws.on('message', () => {});
  other.peer.socket.on('data', (data) => healthy.push(data.length));
  let count = 0;
  // The healthy one is waited for.
  const sum = () => healthy.reduce((all, length) => all + length, 0);
  while (slow.ws.readyState === WebSocket.OPEN) {
    wss.publish('limited', numbered('l', count++));
    await settled(() => sum() >= count * FRAME);
  }
  const { code, got } = await readAll(slow);
  expect(code).toBe(1013);
  const numbers = numbersOf(got, 'l');
  expect(numbers).toEqual(numbers.map((_, index) => index));
  expect(numbers.length + slow.dropped.messages).toBe(count);
  expect(other.ws.readyState).toBe(WebSocket.OPEN);
  expect(other.dropped.messages).toBe(0);
});

test('what another thread publishes is under the same rule', async () => {
  const topicPolicy = () => ({ maxBackpressure: LIMIT, onBackpressure: 'latest' });
  const { members } = await serve(1, { hub: 'ruled', topicPolicy });
  const [member] = members;
  member.ws.subscribe('limited');
  member.ws.subscribe('mark');
  member.peer.socket.pause();
  const code = `
    const { parentPort, workerData } = require('worker_threads');
    const { WebSocketServer } = require(workerData.library);
    const wss = new WebSocketServer({ noServer: true, hub: 'ruled' });
    let count = 0;
    const timer = setInterval(() => {
      for (let i = 0; i < 20; i++) wss.publish('limited', ('l' + count++ + ' ').padEnd(${SIZE}));
      parentPort.postMessage(count);
    }, 1);
    parentPort.once('message', () => {
      clearInterval(timer);
      wss.publish('mark', 'm0');
      parentPort.postMessage('end');
    });
  `;
  const library = require.resolve('../..');
  const worker = new Worker(code, { eval: true, workerData: { library } });
  cleanUp.push(() => worker.terminate());
  let published = 0;
  await new Promise((resolve) => {
    worker.on('message', (count) => {
      if (count === 'end') {
        resolve();
        return;
      }
      published = count;
      if (member.dropped.messages > 100) worker.postMessage('stop');
    });
  });
  let mark = false;
  const reading = (async () => {
    const got = [];
    member.peer.socket.resume();
    while (!mark) {
      const text = String((await member.peer.nextFrame()).payload).trim();
      got.push(text);
      mark = text === 'm0';
    }
    return got;
  })();
  const numbers = numbersOf(await reading, 'l');
  await settled(() => numbers.length + member.dropped.messages >= published);
  expect(numbers[numbers.length - 1]).toBe(published - 1);
  expect(numbers.length + member.dropped.messages).toBe(published);
});

test('the program is asked once for a topic, before anything has changed', async () => {
  const asked = [];
  const answers = {
    none: undefined,
    null: null,
    number: 5,
    misspelt: { maxBackPressure: 5 },
    missing: { onBackpressure: 'latest' },
    zero: { maxBackpressure: 0 },
    unknown: { maxBackpressure: 5, onBackpressure: 'block' }
  };
  const topicPolicy = (topic) => {
    asked.push(topic);
    if (topic === 'throws') throw new Error('of the program');
    return answers[topic];
  };
  const { members, wss } = await serve(2, { topicPolicy });
  const [{ ws }, { ws: other }] = members;
  for (const name of ['none', 'null']) {
    for (const each of [ws, other]) expect(each.subscribe(name)).toBe(true);
  }
  expect(asked).toEqual(['none', 'null']);
  for (const each of [ws, other]) each.unsubscribe('none');
  ws.subscribe('none');
  expect(asked).toEqual(['none', 'null', 'none']);
  for (const name of ['number', 'misspelt', 'missing', 'zero', 'unknown', 'throws']) {
    expect([name, () => ws.subscribe(name)]).toEqual([name, expect.any(Function)]);
    expect(() => ws.subscribe(name)).toThrow();
    expect(ws.isSubscribed(name)).toBe(false);
    expect(wss.topics).not.toContain(name);
  }
  expect(() => ws.subscribe('zero')).toThrow(RangeError);
  expect(() => ws.subscribe('unknown')).toThrow(TypeError);
  for (const topicPolicy of [5, {}, 'latest', true]) {
    expect(() => new WebSocket.Server({ noServer: true, topicPolicy })).toThrow(TypeError);
  }
});

test('a thousand subscribers, of whom a hundred never read', async () => {
  const [all, stalled, messages, step] = [1000, 100, 1200, 8];
  const topicPolicy = () => ({ maxBackpressure: LIMIT, onBackpressure: 'drop-oldest' });
  const { members, wss } = await serve(all, { topicPolicy });
  const bytes = new Array(all).fill(0);
  members.forEach(({ peer, ws }, index) => {
    ws.subscribe('feed');
    // Nobody looks at what is in them.
    peer.socket.removeAllListeners('data');
    peer.socket.on('data', (data) => (bytes[index] += data.length));
    if (index < stalled) peer.socket.pause();
  });
  const before = process.memoryUsage().rss;
  const payload = Buffer.alloc(SIZE / 2, 'x');
  const frame = payload.length + 4;
  const healthy = Array.from({ length: all - stalled }, (_, index) => stalled + index);
  for (let count = 0; count < messages; count += step) {
    // It returns how many matched, whoever reads.
    for (let i = 0; i < step; i++) expect(wss.publish('feed', payload)).toBe(all);
    const wanted = (count + step) * frame;
    await settled(() => healthy.every((index) => bytes[index] === wanted));
  }
  // A hundred times the limit, and what else there is.
  const grown = process.memoryUsage().rss - before;
  expect(grown).toBeLessThan(stalled * LIMIT + 300 * KIB * KIB);
  let dropped = 0;
  members.forEach((member, index) => {
    if (index >= stalled) expect(member.dropped.messages).toBe(0);
    else dropped += member.dropped.messages;
    expect(member.ws.bufferedAmount).toBeLessThanOrEqual(LIMIT + 16 * KIB + frame);
  });
  expect(dropped).toBeGreaterThan(0);
  // What they did not lose is there when they read at last.
  for (const { peer } of members.slice(0, stalled)) peer.socket.resume();
  await settled(() =>
    members
      .slice(0, stalled)
      .every(({ dropped: { messages: lost } }, index) => bytes[index] === (messages - lost) * frame)
  );
});
