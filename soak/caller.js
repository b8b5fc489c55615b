// A client of the soak's server that counts everything that happens to it.
//
// Owns: one WebSocket, what it expects to be echoed, its callbacks. Used by
// actions.js. INVARIANT: an echo is compared when it comes, byte by byte and in order.

'use strict';

const contents = require('./contents');
const { Discrepancy } = require('./ledger');

const ABNORMAL = 1006;

class Caller {
  /**
   * @param {Object} soak `library`, `ledger`, `leftovers`, `ports`
   * @param {String} id
   * @param {{server: String, type: String, path: String, options: Object}} how
   */
  constructor(soak, id, { server = 'plain', type = 'nodebuffer', path = '/', options }) {
    this.id = id;
    this.opened = false;
    this.closes = 0;
    this.code = null;
    this.errors = [];
    this.pongs = [];
    this.echoes = 0;
    this.sent = 0;
    this.refused = 0;
    this.pushed = 0;
    this.pushLength = null;
    this.expected = [];
    this._pending = 0;
    this._ledger = soak.ledger;
    this._waiting = new Set();

    const url = `ws://127.0.0.1:${soak.ports[server]}${path}?id=${id}&type=${type}`;
    this.websocket = new soak.library(url, options);
    soak.leftovers.add(this.websocket);
    soak.ledger.counts.connections++;
    this._listen(this.websocket);
  }

  _listen(websocket) {
    websocket.on('open', () => {
      this.opened = true;
      this._look();
    });
    websocket.on('error', ({ code, message }) => {
      this.errors.push(code || message);
      this._look();
    });
    websocket.on('close', (code) => {
      this.code = code;
      if (++this.closes > 1) this._ledger.note(`${this.id}: the client closed twice`);
      this._look();
    });
    websocket.on('message', (data, isBinary) => this._onMessage(data, isBinary));
    websocket.on('pong', (data) => {
      this.pongs.push(String(data));
      this._look();
    });
  }

  _onMessage(data, isBinary) {
    if (this.closes > 0) this._ledger.note(`${this.id}: a message came after 'close'`);
    if (this.expected.length === 0 && this.pushLength !== null) {
      const wanted = contents.pushed(this.pushed++, this.pushLength);
      if (!wanted.equals(data)) this._ledger.note(`${this.id}: push ${this.pushed} differs`);
    } else {
      const wanted = this.expected.shift();
      this.echoes++;
      this._ledger.counts.messages++;
      this._ledger.counts.bytes += data.length;
      if (wanted === undefined) {
        this._ledger.note(`${this.id}: an echo of nothing, of ${data.length} bytes`);
      } else if (wanted.isBinary !== isBinary || !wanted.bytes.equals(data)) {
        const sizes = `${wanted.bytes.length} bytes were sent, ${data.length} came`;
        this._ledger.note(`${this.id}: echo ${this.echoes} differs: ${sizes}`);
      }
    }
    this._look();
  }

  /** What a time-out prints. */
  describe() {
    const { code, echoes, errors, expected, opened, sent, _pending } = this;
    const state = { readyState: this.websocket.readyState, opened, code, sent, echoes, errors };
    return JSON.stringify({
      id: this.id,
      ...state,
      awaited: expected.length,
      callbacks: _pending,
      buffered: this.websocket.bufferedAmount
    });
  }

  /** Sends a message, in fragments if there are several parts, and expects its echo. */
  send(...parts) {
    const isBinary = typeof parts[0] !== 'string';
    const bytes =
      parts.length > 1 ? Buffer.concat(parts.map((part) => Buffer.from(part))) : parts[0];
    this.expected.push({ bytes: Buffer.from(bytes), isBinary });
    this.sent++;
    parts.forEach((part, index) => {
      const fin = index === parts.length - 1;
      this.websocket.send(part, { binary: isBinary, fin }, this._callback());
    });
  }

  /** Has the server do something (server.js). */
  command(text) {
    this.websocket.send(`!${text}`, this._callback());
  }

  ping(text) {
    this.websocket.ping(text, undefined, this._callback());
  }

  _callback() {
    let calls = 0;
    this._pending++;
    return (error) => {
      if (++calls > 1) this._ledger.note(`${this.id}: a callback was called twice`);
      if (error) this.refused++;
      this._pending--;
      this._look();
    };
  }

  /** Resolves once it is open. */
  open() {
    return this.until(() => this.opened, 'it is open');
  }

  /** Resolves once all messages are echoed. */
  echoed() {
    return this.until(() => this.expected.length === 0, 'all is echoed');
  }

  /** Resolves when a condition holds; that the connection ends before is a discrepancy. */
  until(condition, what) {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (condition()) resolve();
        else if (this.closes > 0)
          reject(new Discrepancy(`closed before ${what}: ${this.describe()}`));
        else return false;
        return true;
      };
      if (!look()) this._waiting.add(look);
    });
  }

  _look() {
    for (const look of this._waiting) if (look()) this._waiting.delete(look);
  }

  /**
   * Closes with a code when all is echoed, and checks the end.
   *
   * @param {Number} code
   * @param {Object} [account] What the server's account must say beside
   */
  async close(code, account = {}) {
    const written = (count) => count >= this.sent;
    this.websocket.close(code, 'done');
    await this.ended([code], { code, received: this.sent, written, refused: 0, ...account });
    if (this.refused > 0) throw new Discrepancy(`${this.refused} callbacks with an error`);
  }

  /**
   * Waits for the end and compares both sides.
   *
   * @param {Number[]} codes Any of them will do
   * @param {Object} [account] What the server's account must say beside
   */
  async ended(codes = [ABNORMAL], account = {}) {
    await new Promise((resolve) => {
      const look = () => {
        if (this.closes === 0 || this._pending > 0) return false;
        resolve();
        return true;
      };
      if (!look()) this._waiting.add(look);
    });
    if (!codes.includes(this.code)) {
      throw new Discrepancy(`closed with ${this.code}, not ${codes}: ${this.describe()}`);
    }
    if (this.errors.length > 0) throw new Discrepancy(`errors: ${this.describe()}`);
    await this._ledger.expectAccount(this.id, {
      code: (code) => codes.includes(code) || code === ABNORMAL,
      errors: '',
      received: (received) => received >= this.echoes && received <= this.sent,
      ...account
    });
  }
}

module.exports = { ABNORMAL, Caller };
