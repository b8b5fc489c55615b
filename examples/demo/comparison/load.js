// The load, in a process of its own and without any WebSocket library: plain
// sockets that write frames made beforehand, and count the bytes of the answers.
//
// Started by run.js, which sends one order after the other ({ port, scenario }) and
// gets `begin`, samples and `end` for each. Ends with its parent, and by itself
// after LIFETIME. Tests: __test__/browser/demo.test.js.

'use strict';

const net = require('net');

const Histogram = require('./histogram');

const LIFETIME = 120000;
const CONNECT_LIMIT = 10000;
const WARM_UP = 400;
const INTERVAL = 200;
// Answers that come after the last message.
const DRAIN = 200;
const SIZE = 64;
const ANSWER = 2 + SIZE;
const MASK = [0x12, 0x34, 0x56, 0x78];
const RING = 4096;

function frame() {
  const masked = Array.from({ length: SIZE }, (_, index) => (index * 7) ^ MASK[index % 4]);
  return Buffer.from([0x82, 0x80 | SIZE, ...MASK, ...masked]);
}

const ONE = frame();
const several = [Buffer.alloc(0)];

/** So many frames in one buffer. */
function frames(count) {
  while (several.length <= count) several.push(Buffer.concat([several[several.length - 1], ONE]));
  return several[count];
}

/** A connection: when its messages left, and how many were answered. */
class Client {
  constructor(port, path, departures, onAnswers) {
    const buffer = Buffer.alloc(65536);
    this._left = departures;
    this._answered = 0;
    this._rest = 0;
    this._onAnswers = onAnswers;
    this.ready = new Promise((resolve, reject) => {
      this._upgraded = resolve;
      this._failed = reject;
    });
    this._head = '';
    this.socket = net.connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: { buffer, callback: (length) => this._onRead(length, buffer) }
    });
    this.socket.on('error', this._failed);
    this.socket.on('close', () => this._failed(new Error('the server closed a connection')));
    this.socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
    );
  }

  _onRead(length, buffer) {
    if (this._head !== null) {
      this._head += buffer.toString('latin1', 0, length);
      if (!this._head.endsWith('\r\n\r\n')) return true;
      if (this._head.startsWith('HTTP/1.1 101 ')) this._upgraded();
      else this._failed(new Error(this._head.split('\r\n', 1)[0]));
      this._head = null;
      return true;
    }
    const bytes = this._rest + length;
    const count = Math.floor(bytes / ANSWER);
    this._rest = bytes - count * ANSWER;
    if (count > 0) this._onAnswers(this, count);
    return true;
  }

  send(count) {
    this._left.add(count);
    this.socket.write(frames(count));
  }

  /** Records how long these answers took. */
  land(count, histogram) {
    const now = performance.now();
    for (let i = 0; i < count; i++) histogram.record(now - this._left.at(this._answered++), 1);
  }
}

/** When the latest messages left, by their number. */
class Departures {
  constructor() {
    this._times = new Float64Array(RING);
    this._count = 0;
  }

  add(count) {
    const now = performance.now();
    for (let i = 0; i < count; i++) this._times[this._count++ % RING] = now;
  }

  at(index) {
    return this._times[index % RING];
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function withLimit(promise) {
  const limit = pause(CONNECT_LIMIT).then(() => {
    throw new Error('connecting took too long');
  });
  return Promise.race([promise, limit]);
}

/** A message when it is due, each on another connection than the last, answered or not. */
function sendAtRate(clients, rate, isOver) {
  const start = performance.now();
  let sent = 0;
  (function next() {
    if (isOver()) return;
    const due = Math.floor(((performance.now() - start) / 1000) * rate);
    // The generator itself was held up: what it missed is not sent all at once.
    if (due - sent > rate / 10) sent = due - Math.floor(rate / 10);
    for (; sent < due; sent++) clients[sent % clients.length].send(1);
    setTimeout(next, 1);
  })();
}

async function run(port, { connections, inflight, path, rate, seconds, toAll }) {
  const shared = new Departures();
  const all = new Histogram();
  let recent = new Histogram();
  let answers = 0;
  let measuring = false;
  let over = false;
  let missing = 0;

  const clients = Array.from({ length: connections }, () => {
    const departures = toAll ? shared : new Departures();
    return new Client(port, path, departures, (client, count) => {
      answers += count;
      client.land(count, recent);
      if (over || rate !== undefined) return;
      if (!toAll) {
        client.send(count);
        return;
      }
      // The next message leaves when one has reached everybody.
      missing += count;
      for (; missing >= connections; missing -= connections) clients[0].send(1);
    });
  });
  try {
    await withLimit(Promise.all(clients.map(({ ready }) => ready)));
    if (rate !== undefined) sendAtRate(clients, rate, () => over);
    else if (toAll) clients[0].send(inflight);
    else for (const client of clients) client.send(inflight);

    await pause(WARM_UP);
    measuring = true;
    const begin = Date.now();
    const cpu = process.cpuUsage();
    let last = performance.now();
    answers = 0;
    recent = new Histogram();
    process.send({ begin });
    let total = 0;
    const started = last;
    while (measuring) {
      await pause(INTERVAL);
      const now = performance.now();
      process.send({
        at: Date.now(),
        rate: (answers / (now - last)) * 1000,
        p50: recent.quantile(0.5),
        p99: recent.quantile(0.99)
      });
      total += answers;
      all.add(recent);
      answers = 0;
      recent = new Histogram();
      last = now;
      measuring = now - started < seconds * 1000;
    }
    const { system, user } = process.cpuUsage(cpu);
    over = true;
    await pause(DRAIN);
    process.send({
      end: Date.now(),
      rate: (total / (last - started)) * 1000,
      p50: all.quantile(0.5),
      p99: all.quantile(0.99),
      share: (system + user) / 1000 / (last - started)
    });
  } finally {
    over = true;
    for (const { socket } of clients) socket.destroy();
  }
}

process.on('message', ({ port, scenario }) => {
  run(port, scenario).catch((error) => process.send({ error: error.message }));
});
process.on('disconnect', () => process.exit());
setTimeout(() => process.exit(), LIFETIME).unref();
