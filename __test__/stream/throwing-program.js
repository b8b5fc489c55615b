// Listeners that throw, in every way: node throwing-program.js LIBRARY. Each case has a
// WebSocket whose peer sends several frames in one chunk. Prints what the listeners saw
// and how many errors were uncaught, by case. Started by throwing.test.js.

'use strict';

const net = require('net');
const { Duplex } = require('stream');

const WebSocket = require(process.argv[2]);
const { frame } = require('../support/raw-peer');

// What is not over by then is deaf.
const PATIENCE = Number(process.argv[3]);

const cases = {};
const open = new Set();

process.on('uncaughtException', ({ message }) => {
  if (cases[message] === undefined) {
    console.error(message);
    process.exit(1);
  }
  cases[message].uncaught++;
});

function duplexPair() {
  const make = () =>
    new Duplex({
      read() {},
      write(chunk, encoding, callback) {
        this.peer.push(chunk);
        setImmediate(callback);
      },
      final(callback) {
        this.peer.push(null);
        setImmediate(callback);
      }
    });
  const pair = [make(), make()];
  [pair[0].peer, pair[1].peer] = [pair[1], pair[0]];
  return pair;
}

function tcpPair() {
  return new Promise((resolve) => {
    const server = net.createServer((near) => {
      server.close();
      resolve([near, far]);
    });
    let far = null;
    server.listen(0, '127.0.0.1', () => (far = net.connect(server.address().port, '127.0.0.1')));
  });
}

const FRAMES = { message: 0x81, ping: 0x89, pong: 0x8a, close: 0x82, error: 0x82 };

async function run(name, { event, how, count, isServer, paused, size, socket, stepped }) {
  const state = { saw: [], threw: 0, uncaught: 0 };
  cases[name] = state;
  const [near, far] = socket === 'tcp' ? await tcpPair() : duplexPair();
  const websocket = new WebSocket(null, undefined, { autoPong: true, closeTimeout: 2000 });
  websocket._isServer = isServer;
  const fail = () => {
    state.threw++;
    throw new Error(name);
  };
  const listener = { sync: fail, async: async () => fail(), first: () => state.threw || fail() };
  for (const each of Object.keys(FRAMES)) {
    websocket.on(each, (data) => {
      state.saw.push(each === 'message' ? `${each} ${data.toString().trimEnd()}` : each);
    });
  }
  open.add(name);
  websocket.prependListener('close', () => open.delete(name));
  websocket.on(event, listener[how]);
  websocket.setSocket(near, Buffer.alloc(0), {
    allowSynchronousEvents: !stepped,
    maxPayload: 0
  });
  if (paused) {
    websocket.pause();
    setTimeout(() => websocket.resume(), 20);
  }
  far.on('error', () => {});
  far.resume();
  const make = (first, text) => frame(first, text, { mask: isServer });
  const frames = Array.from({ length: count }, (_, index) =>
    make(FRAMES[event], String(index).padEnd(size))
  );
  const bad = event === 'error' ? make(0x83) : make(0x88, Buffer.from([0x03, 0xe8]));
  far.write(Buffer.concat([...frames, bad]));
  // The peer goes when ours has answered.
  far.once('end', () => far.end());
}

const axes = {
  event: Object.keys(FRAMES),
  how: ['sync', 'async', 'first'],
  count: [1, 2, 90],
  isServer: [true, false],
  paused: [false, true],
  size: [5, 100],
  socket: ['duplex', 'tcp'],
  stepped: [false, true]
};

function* combinations([[axis, values], ...rest]) {
  for (const value of values) {
    if (rest.length === 0) yield { [axis]: value };
    else for (const others of combinations(rest)) yield { [axis]: value, ...others };
  }
}

function report() {
  process.stdout.write(JSON.stringify(cases), () => process.exit());
}

async function main() {
  for (const each of combinations(Object.entries(axes))) {
    await run(Object.values(each).join(' '), each);
  }
  const started = Date.now();
  const timer = setInterval(() => {
    if (open.size > 0 && Date.now() - started < PATIENCE) return;
    clearInterval(timer);
    // Errors of the last 'close' listeners are noticed by then.
    setImmediate(() => setImmediate(report));
  }, 20);
}

main();
