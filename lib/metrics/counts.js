// What a server counts.
//
// Owns: the numbers of its handshakes, topics and connections that stay with Node, and the
// account under which reactors count the others (src/reactor/tally.rs). One for each server,
// a part of its Limits. Counted by websocket-server.js, topics/registry.js, stream-transport.js
// and backlog.js; read by index.js. Runs on: js. Tests: __test__/operations/metrics.test.js.

'use strict';

const { layout, tally } = require('../bridge');
const { OPCODES } = require('../constants');
const { byteLengthOf } = require('../send-data');

const {
  TALLY_DELIVERED,
  TALLY_DROPPED,
  TALLY_NUMBERS,
  TALLY_PINGS_RECEIVED,
  TALLY_PINGS_SENT,
  TALLY_PONGS_RECEIVED,
  TALLY_PONGS_SENT,
  TALLY_RECEIVED,
  TALLY_RECEIVED_BYTES,
  TALLY_SENT,
  TALLY_SENT_BYTES
} = layout;
const { CLOSE, PING, PONG } = OPCODES;

// Numbers of accounts; 0 is nobody's.
let lastAccount = 0;
const freeAccounts = [];

class Counts {
  constructor() {
    this.accepted = 0;
    this.closed = 0;
    /** Upgrades, by why they were refused. */
    this.refused = { closed: 0, draining: 0, handshake: 0, limit: 0, path: 0, verification: 0 };
    this.subscriptions = 0;
    this.publishes = 0;
    this.matched = 0;
    // Of connections that stay with Node, and of accounts that were given up.
    this._numbers = new Float64Array(TALLY_NUMBERS);
    this._account = 0;
  }

  /** Under which number reactors count. @type {Number} */
  get account() {
    if (this._account === 0) this._account = freeAccounts.pop() || ++lastAccount;
    return this._account;
  }

  /** Nothing is counted by reactors any more: others may have the number. */
  giveUpAccount() {
    if (this._account === 0) return;
    this._add(tally(this._account, true));
    freeAccounts.push(this._account);
    this._account = 0;
  }

  /**
   * What all connections together have done.
   *
   * @return {Float64Array} By the constants `TALLY_…`
   */
  read() {
    const sum = Float64Array.from(this._numbers);
    if (this._account === 0) return sum;
    tally(this._account, false).forEach((count, at) => (sum[at] += count));
    return sum;
  }

  _add(numbers) {
    numbers.forEach((count, at) => (this._numbers[at] += count));
  }

  /** Somebody published. */
  onPublished(matched) {
    this.publishes++;
    this.matched += matched;
  }

  // What follows is of connections that stay with Node.

  /** @param {(Buffer|ArrayBuffer|Blob|Buffer[])} data A message as it is emitted */
  onMessage(data) {
    this._numbers[TALLY_RECEIVED]++;
    this._numbers[TALLY_RECEIVED_BYTES] += sizeOf(data);
  }

  onPing() {
    this._numbers[TALLY_PINGS_RECEIVED]++;
  }

  onPong() {
    this._numbers[TALLY_PONGS_RECEIVED]++;
  }

  /** A frame is given to the socket. */
  onFrame(opcode, data, fin) {
    if (opcode === PING) {
      this._numbers[TALLY_PINGS_SENT]++;
    } else if (opcode === PONG) {
      this._numbers[TALLY_PONGS_SENT]++;
    } else if (opcode < CLOSE) {
      if (fin) this._numbers[TALLY_SENT]++;
      this._numbers[TALLY_SENT_BYTES] += byteLengthOf(data);
    }
  }

  /** So is a message for several. */
  onPrepared({ data, topic }) {
    this._numbers[TALLY_SENT]++;
    this._numbers[TALLY_SENT_BYTES] += data.length;
    if (topic !== null) this._numbers[TALLY_DELIVERED]++;
  }

  /** Messages were dropped, or a frame of one that is counted already. */
  onDropped(policy, messages, bytes) {
    this._numbers[TALLY_DROPPED + 2 * policy] += messages;
    this._numbers[TALLY_DROPPED + 2 * policy + 1] += bytes;
  }
}

function sizeOf(data) {
  if (data.byteLength !== undefined) return data.byteLength;
  if (!Array.isArray(data)) return data.size;
  return data.reduce((sum, { length }) => sum + length, 0);
}

module.exports = Counts;
