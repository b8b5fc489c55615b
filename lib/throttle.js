// How much of one peer is taken in a second, for connections that stay with Node: a reactor
// counts for itself.
//
// Owns: a bucket of messages and one of bytes, each with room for what a second allows.
// Used by stream-transport.js. Runs on: js. Tests: __test__/unit/throttle.test.js.

'use strict';

const SECOND = 1000;
// A part of a bucket that has to be there before reading goes on.
const PART = 10;

class Bucket {
  constructor(rate) {
    this._rate = rate;
    // When it is full again.
    this._fullAt = 0;
  }

  available(now) {
    const missing = Math.max(this._fullAt - now, 0);
    // Times are sums of fractions: a token that lacks the last of them is there.
    return Math.max(Math.floor(((SECOND - missing) * this._rate) / SECOND + 1e-6), 0);
  }

  take(count, now) {
    this._fullAt = Math.max(this._fullAt, now) + (count * SECOND) / this._rate;
  }

  readyAt() {
    return (
      this._fullAt - SECOND + (Math.max(Math.floor(this._rate / PART), 1) * SECOND) / this._rate
    );
  }
}

class Throttle {
  /** @param {{messages: Number, bytes: Number, action: String}} limit 0 is none */
  constructor({ messages, bytes, action }) {
    this.closes = action === 'close';
    this._messages = messages > 0 ? new Bucket(messages) : null;
    this._bytes = bytes > 0 ? new Bucket(bytes) : null;
  }

  /**
   * Counts bytes that were read.
   *
   * @param {Number} count
   * @param {Number} now In milliseconds
   * @return {Boolean} Whether that were too many for one that closes
   */
  takeBytes(count, now) {
    return take(this, this._bytes, count, now);
  }

  /** The same for a message, a ping or a pong. */
  takeMessage(now) {
    return take(this, this._messages, 1, now);
  }

  /**
   * @param {Number} now
   * @return {Number} When reading may go on; 0 if it need not stop
   */
  stopsUntil(now) {
    let until = 0;
    if (this.closes) return until;
    for (const bucket of [this._messages, this._bytes]) {
      if (bucket !== null && bucket.available(now) === 0) until = Math.max(until, bucket.readyAt());
    }
    return until;
  }
}

function take({ closes }, bucket, count, now) {
  if (bucket === null) return false;
  const tooMany = closes && count > bucket.available(now);
  bucket.take(count, now);
  return tooMany;
}

module.exports = Throttle;
