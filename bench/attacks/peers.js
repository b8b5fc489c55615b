// The attackers, in a process of their own: forked with the server's port and a
// scenario's `attack`. Says 'ready' when they are connected, begins when it is told
// 'go', and answers 'done' when it has nothing more to send.

'use strict';

const net = require('net');

const { HEAD, HOST, bomb, message, open, openAll } = require('./frames');

const SLOW_PAUSE = 1000;
const SLOW_SETTLE = 3000;
// 1 MiB, masked with zeros.
const BEGINNING = Buffer.from('82ff000000000010000000000000', 'hex');
const CHUNK = 64 * 1024;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const exchange = (socket, bytes) => new Promise((resolve) => socket.write(bytes, resolve));

/** Writes the same bytes as fast as they are taken. */
async function pour(socket, bytes, goesOn) {
  while (goesOn() && !socket.destroyed) await exchange(socket, bytes);
}

const attacks = {
  /** Each peer sends one message that inflates. */
  async bombs({ peers, bytes }, port) {
    const sockets = await openAll(peers, port, '/attack', true);
    const frame = bomb(bytes);
    return () => Promise.all(sockets.map((socket) => exchange(socket, frame)));
  },

  /** Peers send messages without end. */
  async flood({ peers, bytes, inflates, seconds }, port) {
    const sockets = await openAll(peers, port, '/attack', inflates === true);
    const one = inflates ? bomb(bytes) : message(bytes);
    const bulk = Buffer.concat(Array(Math.ceil(CHUNK / one.length)).fill(one));
    return async () => {
      const end = Date.now() + seconds * 1000;
      await Promise.race([
        Promise.all(sockets.map((socket) => pour(socket, bulk, () => Date.now() < end))),
        sleep(seconds * 1000)
      ]);
      for (const socket of sockets) socket.destroy();
    };
  },

  /** One peer sends many small messages. */
  async small({ count }, port) {
    const socket = await open(port, '/attack');
    const one = message(1);
    const bulk = Buffer.concat(Array(1000).fill(one));
    return async () => {
      for (let left = count; left > 0; left -= 1000) await exchange(socket, bulk);
    };
  },

  /** Peers read the answer to their request and nothing more. */
  async deaf({ peers }, port) {
    const sockets = await openAll(peers, port, '/attack');
    for (const socket of sockets) socket.pause();
    return () => {};
  },

  /** Half of the peers send a head byte by byte, half a message. */
  async slow({ peers }, port) {
    const sockets = Array.from({ length: peers }, (_, index) => {
      const localAddress = `127.0.0.${2 + (index % 8)}`;
      const socket = net.connect({ port, host: HOST, localAddress });
      socket.on('error', () => {});
      if (index % 2 === 0) {
        socket.write('GET / HTTP/1.1\r\nX: ');
      } else {
        socket.write(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
        socket.once('data', () => socket.write(BEGINNING));
      }
      return socket;
    });
    await sleep(SLOW_SETTLE);
    return async () => {
      for (let second = 0; second < 3; second++) {
        for (const socket of sockets) if (socket.writable) socket.write('x');
        await sleep(SLOW_PAUSE);
      }
    };
  }
};

async function main() {
  const [port, text] = process.argv.slice(2);
  const attack = JSON.parse(text);
  const go = await attacks[attack.kind](attack, Number(port));
  process.on('message', async () => {
    await go();
    process.send('done');
  });
  process.on('disconnect', () => process.exit());
  process.send('ready');
}

main();
