// Bytes of attackers: upgrade requests and frames, made once, so that an attack
// costs the attacker next to nothing. Used by the processes of bench/attacks.

'use strict';

const net = require('net');
const zlib = require('zlib');
const { once } = require('events');

const HOST = '127.0.0.1';
const HEAD =
  'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';
const DEFLATE =
  'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; ' +
  'server_no_context_takeover\r\n';
const RSV1 = 0x40;
const TRAILER_BYTES = 4;

/** A whole frame with a masking key of zeros: legal, and free for whoever sends it. */
function frame(firstByte, payload) {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 6 : length < 65536 ? 8 : 14);
  header[0] = firstByte;
  if (length < 126) {
    header[1] = 0x80 | length;
  } else if (length < 65536) {
    header[1] = 0xfe;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 0xff;
    header.writeUIntBE(length, 4, 6);
  }
  return Buffer.concat([header, payload]);
}

/** A binary message that inflates to so many zeros. */
function bomb(bytes) {
  const options = { level: 9, finishFlush: zlib.constants.Z_SYNC_FLUSH };
  const deflated = zlib.deflateRawSync(Buffer.alloc(bytes), options);
  return frame(0x82 | RSV1, deflated.subarray(0, -TRAILER_BYTES));
}

/** A binary message of so many bytes. */
function message(bytes) {
  return frame(0x82, Buffer.alloc(bytes, 1));
}

/** A raw socket whose upgrade request was accepted. */
async function open(port, path = '/', deflate = false) {
  const socket = net.connect({ port, host: HOST });
  socket.on('error', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\n${HEAD}${deflate ? DEFLATE : ''}\r\n`);
  const [answer] = await once(socket, 'data');
  if (!answer.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error('no upgrade');
  return socket;
}

/** As many of them, one after the other. */
async function openAll(count, port, path, deflate) {
  const sockets = [];
  while (sockets.length < count) sockets.push(await open(port, path, deflate));
  return sockets;
}

module.exports = { HEAD, HOST, bomb, frame, message, open, openAll };
