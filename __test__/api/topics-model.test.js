// Topics beside a simple model: everything in random order on many sockets, every
// byte compared.

'use strict';

const WebSocket = require('../..');
const { crowd } = require('../support/crowd');
const { frame } = require('../support/raw-peer');

const ROUNDS = 1500;
const TOPICS = ['a', 'b', 'c', 'd', 'e'];

/** A deterministic generator of numbers (mulberry32). */
function generator(seed) {
  return (limit) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

/** A socket as it should be. */
class Model {
  constructor() {
    this.topics = new Set();
    this.expected = [];
    this.behind = [];
    this.isWithinMessage = false;
    this.isClosed = false;
  }

  wire(first, data) {
    this.expected.push(frame(first, data, { mask: false }));
  }

  send(data, fin) {
    this.wire((fin ? 0x80 : 0) | (this.isWithinMessage ? 0 : 2), data);
    this.isWithinMessage = !fin;
    if (fin) for (const message of this.behind.splice(0)) this.wire(...message);
  }

  publish(first, data) {
    if (this.isWithinMessage) this.behind.push([first, data]);
    else this.wire(first, data);
  }
}

async function play(seed) {
  const dice = generator(seed);
  const { wss, members, close } = await crowd(WebSocket, 12);
  const models = members.map(() => new Model());
  const payload = () => {
    const length = [dice(5), dice(300), dice(300), dice(3000), dice(30000)][dice(5)];
    return Buffer.alloc(length, 97 + dice(26));
  };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const who = dice(members.length);
      const { ws } = members[who];
      const model = models[who];
      const topic = TOPICS[dice(TOPICS.length)];
      const action = dice(24);
      if (action < 5) {
        const isNew = !model.isClosed && !model.topics.has(topic);
        expect(ws.subscribe(topic)).toBe(isNew);
        if (isNew) model.topics.add(topic);
      } else if (action < 8) {
        expect(ws.unsubscribe(topic)).toBe(model.topics.delete(topic));
      } else if (action < 14) {
        const data = payload();
        const isText = dice(2) === 0;
        const excepted = new Set(Array.from({ length: dice(4) }, () => dice(members.length)));
        const except = [...excepted].map((index) => members[index].ws);
        const options = { binary: !isText, except };
        const given = isText && dice(2) === 0 ? data.toString() : data;
        const byMember = dice(2) === 0;
        if (byMember) excepted.add(who);
        const receivers = models.filter(
          (other, index) => other.topics.has(topic) && !excepted.has(index)
        );
        const count = (byMember ? ws : wss).publish(topic, given, options);
        expect(count).toBe(receivers.length);
        for (const receiver of receivers) receiver.publish(isText ? 0x81 : 0x82, data);
      } else if (action < 19) {
        const data = payload();
        const fin = dice(4) > 0;
        ws.send(data, { fin });
        if (!model.isClosed) model.send(data, fin);
      } else if (action < 20) {
        ws.ping('p');
        if (!model.isClosed) model.wire(0x89, 'p');
      } else if (action === 20 && dice(20) === 0) {
        ws.close(1000);
        if (!model.isClosed) model.wire(0x88, Buffer.from([3, 232]));
        model.isClosed = true;
        model.topics.clear();
      } else if (action === 21 && dice(10) === 0 && !model.isClosed) {
        // The connection goes back to Node.
        expect(ws._socket._handle).not.toBe(null);
      } else if (action > 21) {
        await new Promise(setImmediate);
      }
      const { topics } = model;
      expect(ws.subscriptions.length).toBe(topics.size);
    }
    for (const topic of TOPICS) {
      const count = models.filter(({ topics }) => topics.has(topic)).length;
      expect(wss.subscriberCount(topic)).toBe(count);
    }
    for (const [index, { ws, peer }] of members.entries()) {
      const model = models[index];
      if (!model.isClosed) {
        ws.ping('end');
        model.wire(0x89, 'end');
      }
      const seen = [];
      while (seen.length < model.expected.length) {
        const next = await peer.nextFrame();
        if (next === null) break;
        const { fin, opcode, payload: data } = next;
        seen.push(frame((fin ? 0x80 : 0) | opcode, data, { mask: false }));
      }
      expect(Buffer.concat(seen).equals(Buffer.concat(model.expected))).toBe(true);
    }
  } finally {
    await close();
  }
}

test.each([1, 2, 3, 4, 5, 6])('seed %i', (seed) => play(seed));
