// What the server can tell of one connection, once it is over.
//
// Owns: the counts, the callbacks that are still out. Used by server.js; compared
// in ledger.js, in the other process.

'use strict';

class Account {
  /**
   * @param {String} id
   * @param {Function} report Called with the account when the connection and all callbacks are over
   * @param {Function} complain Called with what must not happen
   */
  constructor(id, report, complain) {
    this.id = id;
    this.code = null;
    this.closes = 0;
    this.received = 0;
    this.pings = 0;
    this.written = 0;
    this.refused = 0;
    this.errors = [];
    this._pending = 0;
    this._report = report;
    this._complain = complain;
  }

  /** A callback for send(), to be called once. */
  callback() {
    let calls = 0;
    this._pending++;
    return (error) => {
      if (++calls > 1) this._complain(`${this.id}: a callback of the server was called twice`);
      this._pending--;
      if (error) this.refused++;
      else this.written++;
      this._tell();
    };
  }

  onClose(code) {
    this.code = code;
    if (++this.closes > 1) this._complain(`${this.id}: the server's end closed twice`);
    this._tell();
  }

  _tell() {
    if (this.closes !== 1 || this._pending !== 0) return;
    const { id, code, received, pings, written, refused, errors } = this;
    this._report({ id, code, received, pings, written, refused, errors });
  }
}

module.exports = Account;
