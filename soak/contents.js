// What is sent: bytes and texts that both processes can make again.

'use strict';

const Dice = require('./dice');

const SIZE = 4 << 20;
// Of one, two and three bytes in UTF-8.
const LETTERS = 'abcdefghij klmnop äßé€中';

const dice = new Dice(SIZE);
const noise = Buffer.alloc(SIZE);
for (let at = 0; at < SIZE; at += 4) noise.writeUInt32LE(dice.below(0xffffffff), at);
const letters = Array.from({ length: 1 << 16 }, () => LETTERS[dice.below(LETTERS.length)]).join('');

/** Bytes that hardly compress. */
function bytesAt(offset, length) {
  return Buffer.from(noise.subarray(offset % (SIZE - length + 1)).subarray(0, length));
}

/** Text that compresses, and is not ASCII only. It never begins with "!". */
function textAt(offset, length) {
  const start = offset % letters.length;
  return letters.slice(start).padEnd(length, letters).slice(0, length);
}

/** A message of about a length: a Buffer or a string. */
function message(dice, length) {
  const offset = dice.below(SIZE);
  return dice.chance(2) ? bytesAt(offset, length) : textAt(offset, length);
}

/** The message number `index` of those that the server sends by itself. */
function pushed(index, length) {
  return bytesAt(index * 7919, length);
}

module.exports = { bytesAt, message, pushed, textAt };
