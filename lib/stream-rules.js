// What the running Node's streams and sockets do in one way or another, from version
// to version, for connections that they never see.
//
// Owns: three facts, found out once. Used by native transports, whose sockets behave
// as Node's own. Runs on: js.
// Tests: __test__/differential/ended.test.js, socket-members.test.js, by npm run runtimes.

'use strict';

const stream = require('stream');

const [MAJOR, MINOR] = process.versions.node.split('.').map(Number);

/** A Writable that takes everything at once; whether one large write makes it wait for 'drain'. */
function isDrainedLater() {
  const writable = new stream.Writable({
    highWaterMark: 1,
    write: (chunk, encoding, callback) => callback()
  });
  writable.write('xx');
  return writable.writableNeedDrain;
}

module.exports = {
  /** No socket waits for 'drain' below this. */
  HIGH_WATER_MARK: stream.getDefaultHighWaterMark
    ? stream.getDefaultHighWaterMark(false)
    : new stream.Writable().writableHighWaterMark,
  /** Whether 'drain' follows a single large write too that the kernel took at once. */
  DRAINS_SINGLE_WRITES: isDrainedLater(),
  /** Whether the write that destroying a socket cuts off fails with ECANCELED. */
  CANCELS_WRITES: MAJOR > 22 || (MAJOR === 22 && MINOR >= 9)
};
