// What peers do that are broken, rude or gone: bytes without a WebSocket library.
// Kinds by name, each a function of ({ id, connect, open, expect, unsure }, dice).
// Chosen by traffic.js.

'use strict';

const { once } = require('events');

const contents = require('./contents');
const { frame, request } = require('../__test__/support/raw-peer');
const { Discrepancy } = require('./ledger');

const [TEXT, BINARY] = [0x81, 0x82];
const GONE = { code: 1006, errors: '' };

// Each breaks the connection with a close code.
const VIOLATIONS = [
  [frame(TEXT, 'no mask', { mask: false }), 1002],
  [frame(0xc1, 'RSV1'), 1002],
  [frame(0x83, 'opcode 3'), 1002],
  [frame(0x80, 'continues nothing'), 1002],
  [frame(0x09, 'a ping in fragments'), 1002],
  [frame(TEXT, Buffer.from([0x61, 0xff, 0x62])), 1007],
  [frame(0x88, Buffer.from([3, 237])), 1002],
  [Buffer.from([BINARY, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]), 1009]
];

// What is no handshake, and the status of its answer.
const REFUSALS = [
  [request({ path: '/refused' }), 401],
  [request({ method: 'POST' }), 405],
  [request({ headers: { 'Sec-WebSocket-Key': 'short' } }), 400],
  [request({ headers: { 'Sec-WebSocket-Version': '12' } }), 400],
  [request({ headers: { 'Sec-WebSocket-Protocol': 'a,,b' } }), 400],
  ['GET / HTTP/1.1\r\nHost\r\n\r\n', 400]
];

/** Ends in one of the ways in which peers do. */
function leave(socket, dice) {
  dice.oneOf([() => socket.resetAndDestroy(), () => socket.destroy(), () => socket.end()])();
}

async function over(socket) {
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
}

const actions = {
  async reset({ open, expect }, dice) {
    const peer = await open();
    const count = dice.below(30);
    for (let index = 0; index < count; index++) {
      peer.send(frame(BINARY, contents.bytesAt(index, dice.below(3000))));
    }
    if (dice.chance(2) && count > 0) await peer.nextFrame();
    peer.socket.resetAndDestroy();
    await expect({ ...GONE, received: (received) => received <= count });
  },

  /** All is sent and our side is finished, but we go on reading. */
  async halfOpen({ open, expect }, dice) {
    const peer = await open();
    const count = dice.between(0, 40);
    const sent = Array.from({ length: count }, (_, index) =>
      contents.bytesAt(index * 31, dice.below(3000))
    );
    for (const bytes of sent) peer.send(frame(BINARY, bytes));
    for (const bytes of sent) {
      const echo = await peer.nextFrame();
      if (echo === null || !echo.payload.equals(bytes)) throw new Discrepancy('echo differs');
    }
    peer.socket.end();
    await expect({ ...GONE, received: count, written: count });
    await over(peer.socket);
  },

  async abortedUpload({ open, expect }, dice) {
    const peer = await open();
    const whole = frame(BINARY, contents.bytesAt(dice.below(1000), 2 << 20));
    peer.socket.write(whole.subarray(0, dice.below(whole.length)));
    if (dice.chance(2)) peer.socket.write('', () => leave(peer.socket, dice));
    else leave(peer.socket, dice);
    await expect({ ...GONE, received: 0 });
    await over(peer.socket);
  },

  /** Sends much, reads nothing, and goes. */
  async neverReads({ open, expect }, dice) {
    const peer = await open();
    peer.socket.pause();
    const bytes = frame(BINARY, contents.bytesAt(3, 100000));
    const count = dice.between(1, 60);
    for (let index = 0; index < count; index++) peer.socket.write(bytes);
    await new Promise((resolve) => setTimeout(resolve, dice.below(60)));
    peer.socket.resetAndDestroy();
    await expect({ ...GONE, received: (received) => received <= count });
  },

  async slowRead({ open, expect }, dice) {
    const peer = await open();
    peer.socket.pause();
    const sent = Array.from({ length: dice.between(1, 40) }, (_, index) =>
      contents.bytesAt(index * 1009, dice.below(80000))
    );
    for (const bytes of sent) peer.send(frame(BINARY, bytes));
    let isSlow = true;
    const reading = setInterval(() => {
      peer.socket.resume();
      setImmediate(() => isSlow && peer.socket.pause());
    }, 2);
    try {
      for (const bytes of sent) {
        const echo = await peer.nextFrame();
        if (echo === null || !echo.payload.equals(bytes)) throw new Discrepancy('echo differs');
      }
    } finally {
      clearInterval(reading);
      isSlow = false;
    }
    peer.socket.resume();
    peer.send(frame(0x88, Buffer.from([3, 232])));
    // It keeps the server waiting otherwise.
    peer.socket.end();
    await expect({ code: 1000, errors: '', received: sent.length, written: sent.length });
    await over(peer.socket);
  },

  /** Frames cut anywhere, some bytes at a time. */
  async trickles({ open, expect }, dice) {
    const peer = await open();
    const sent = Array.from({ length: dice.between(1, 5) }, (_, index) =>
      contents.bytesAt(index * 77, dice.below(300))
    );
    const all = Buffer.concat(sent.map((bytes) => frame(BINARY, bytes)));
    for (let at = 0; at < all.length;) {
      const size = dice.between(1, 40);
      peer.socket.write(all.subarray(at, at + size));
      at += size;
      await new Promise(setImmediate);
    }
    for (const bytes of sent) {
      const echo = await peer.nextFrame();
      if (echo === null || !echo.payload.equals(bytes)) throw new Discrepancy('echo differs');
    }
    peer.socket.destroy();
    await expect({ ...GONE, received: sent.length });
  },

  async violation({ open, expect }, dice) {
    const peer = await open();
    const [bytes, code] = dice.oneOf(VIOLATIONS);
    if (dice.chance(2)) peer.send(frame(TEXT, 'before'));
    peer.send(bytes);
    let last = null;
    for (let next = await peer.nextFrame(); next !== null; next = await peer.nextFrame()) {
      last = next;
      if (next.opcode === 8) break;
    }
    const told = last !== null && last.opcode === 8 && last.payload.readUInt16BE(0);
    if (told !== code) throw new Discrepancy(`told ${told} instead of ${code}`);
    peer.socket.end();
    await expect({ code: 1006, errors: (errors) => errors.length === 1 });
    await over(peer.socket);
  },

  async failedHandshake({ connect }, dice) {
    const [bytes, status] = dice.oneOf(REFUSALS);
    const peer = await connect(bytes);
    const head = await peer.headers();
    if (head === null || !head.startsWith(`HTTP/1.1 ${status} `)) {
      throw new Discrepancy(`answered ${head}, not ${status}`);
    }
    peer.socket.end();
    await over(peer.socket);
  },

  /** A head that stops somewhere. */
  async halfHead({ connect }, dice) {
    const text = request();
    const { socket } = await connect(text.slice(0, dice.below(text.length)));
    if (dice.chance(2)) await new Promise(setImmediate);
    leave(socket, dice);
    await over(socket);
  },

  /** Gone while the server makes up its mind. */
  async pending({ id, connect, unsure }, dice) {
    unsure();
    const peer = await connect(request({ path: `/pending?id=${id}` }));
    if (dice.chance(2)) peer.send(frame(TEXT, 'early'));
    await new Promise((resolve) => setTimeout(resolve, dice.below(25)));
    leave(peer.socket, dice);
    await over(peer.socket);
  }
};

module.exports = actions;
