// A server whose answers are no handshake, for clients that must end in events.
// Used by traffic.js, in the process of the clients.

'use strict';

const net = require('net');
const { once } = require('events');

const { acceptOf, switching } = require('../__test__/support/peers');
const { Discrepancy } = require('./ledger');

// By path: what is answered, given the expected Sec-WebSocket-Accept.
const ANSWERS = {
  garbage: () => 'garbage\r\n\r\n',
  ok: () => 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno',
  short: () => 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nand no more',
  accept: () => switching('nonsense'),
  extension: (accept) => switching(accept, 'Sec-WebSocket-Extensions: x'),
  loop: () => 'HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n',
  nowhere: () => 'HTTP/1.1 302 Found\r\nLocation: ws://x:%@[\r\n\r\n'
};
const ENDS = ['reset', 'end', 'destroy'];
const PATHS = [...Object.keys(ANSWERS), ...ENDS];

/** @return {Promise<{port: Number, close: Function}>} */
async function start() {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    socket.once('data', (head) => {
      const text = head.toString('latin1');
      const [, path] = /^GET \/(\w+)/.exec(text);
      const [, key] = /^sec-websocket-key: (.*)\r$/im.exec(text);
      if (path in ANSWERS) socket.write(ANSWERS[path](acceptOf(key)));
      if (path === 'reset') socket.resetAndDestroy();
      else if (path === 'destroy') socket.destroy();
      else if (path === 'end' || path === 'short') socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { port: server.address().port, close };
}

/** A client of it: one error, one close. */
async function visit({ leftovers, library, badPort }, dice) {
  const path = dice.oneOf(PATHS);
  const websocket = new library(`ws://127.0.0.1:${badPort}/${path}`, {
    followRedirects: true,
    maxRedirects: 3
  });
  const events = [];
  leftovers.add(websocket);
  websocket.on('open', () => events.push('open'));
  websocket.on('error', () => events.push('error'));
  websocket.on('close', (code) => events.push(code));
  await new Promise((resolve) => websocket.once('close', resolve));
  await new Promise(setImmediate);
  if (String(events) !== 'error,1006') throw new Discrepancy(`/${path} came to ${events}`);
}

module.exports = { start, visit };
