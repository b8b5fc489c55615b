// What ws's Receiver tells of itself while it waits for bytes, for whoever looks.
//
// Owns: the names of ws and what of the decoder stands for them. Between two messages
// they are as on a fresh Receiver; the steps of ws's parser and what it holds in
// pieces do not exist. Used by receiver.js. Runs on: js.
// Tests: __test__/stream/codec.test.js, __test__/differential/stand-ins.test.js.

'use strict';

// Fields of `Codec.progress()`.
const [STEP, OPCODE, COMPRESSED, FIN, FRAME_LENGTH, ANNOUNCED, COMPLETE, FRAMES, HELD] = [
  ...Array(9).keys()
];
// ws's number for waiting until a frame is inflated.
const INFLATING = 5;

const COUNTERS = {
  _bufferedBytes: (receiver, progress) => progress[HELD],
  _buffers: () => [],
  _compressed: (receiver, progress) => progress[COMPRESSED] === 1,
  _errored: ({ _writableState: state }) => Boolean(state.errored),
  _fin: (receiver, progress) => progress[FIN] === 1,
  _fragmented: (receiver, progress) => (isInFragments(progress) ? progress[OPCODE] : 0),
  _fragments: () => [],
  _loop: () => false,
  _mask: () => undefined,
  _masked: ({ _isServer: isServer }, progress) => isServer && progress[OPCODE] > 0,
  _messageLength: ({ _inflatedLength: inflated }, progress) => {
    return progress[COMPRESSED] === 1 ? inflated : progress[COMPLETE];
  },
  _numFragments: ({ _maxFragments: most }, progress) => (most > 0 ? progress[FRAMES] : 0),
  _opcode: (receiver, progress) => progress[OPCODE],
  _payloadLength: (receiver, progress) => progress[FRAME_LENGTH],
  _state: ({ _isInflating: isInflating }, progress) => (isInflating ? INFLATING : progress[STEP]),
  _totalPayloadLength: (receiver, progress) => progress[ANNOUNCED]
};

/** Whether the message has a frame that is not the last one. */
function isInFragments(progress) {
  return progress[OPCODE] > 0 && (progress[FIN] === 0 || progress[FRAMES] > 0);
}

/**
 * Adds them to a prototype.
 *
 * @param {Object} prototype Of objects with a `_codec`
 */
function defineCounters(prototype) {
  for (const [name, count] of Object.entries(COUNTERS)) {
    Object.defineProperty(prototype, name, {
      configurable: true,
      get() {
        return count(this, this._codec.progress());
      },
      // Whoever has a value of his own keeps it.
      set(value) {
        const property = { configurable: true, enumerable: true, value, writable: true };
        Object.defineProperty(this, name, property);
      }
    });
  }
}

module.exports = { defineCounters };
