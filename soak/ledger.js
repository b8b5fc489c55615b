// The books: what each end of a connection says must agree.
//
// Owns: the server's accounts until they are asked for, the discrepancies, counts.
// Used by run.js and all actions. Runs on: js.

'use strict';

const MOST_NOTED = 20;

/** Something that must not happen. */
class Discrepancy extends Error {}

class Ledger {
  constructor() {
    this.discrepancies = [];
    this.counts = { connections: 0, messages: 0, bytes: 0, actions: {} };
    this._accounts = new Map();
    this._asked = new Map();
    this._unsure = new Set();
  }

  /** Whether so much is wrong that going on would tell nothing new. */
  get isFull() {
    return this.discrepancies.length >= MOST_NOTED;
  }

  note(text) {
    if (!this.isFull) {
      this.discrepancies.push(text);
      console.error(`DISCREPANCY: ${text}`);
    }
  }

  /** Counts an action of a kind that went well. */
  done(kind) {
    this.counts.actions[kind] = (this.counts.actions[kind] || 0) + 1;
  }

  /** The server told of a connection. */
  onAccount(account) {
    const asked = this._asked.get(account.id);
    if (this._accounts.has(account.id)) this.note(`${account.id}: two accounts`);
    if (asked !== undefined) {
      this._asked.delete(account.id);
      asked(account);
    } else if (!this._unsure.has(account.id)) {
      this._accounts.set(account.id, account);
    }
  }

  /** Whether the server gets to know of this connection is a matter of time. */
  isUnsure(id) {
    this._unsure.add(id);
  }

  /** Nobody asks for this account any more. */
  forget(id) {
    this.isUnsure(id);
    this._accounts.delete(id);
    this._asked.delete(id);
  }

  /** The server's account of a connection, when it is there. */
  accountOf(id) {
    const account = this._accounts.get(id);
    if (account === undefined) return new Promise((resolve) => this._asked.set(id, resolve));
    this._accounts.delete(id);
    return Promise.resolve(account);
  }

  /**
   * Compares the server's account with what is expected.
   *
   * @param {String} id
   * @param {Object} expected Values, or functions that say whether a value will do, by name
   */
  async expectAccount(id, expected) {
    const account = await this.accountOf(id);
    for (const [name, wanted] of Object.entries(expected)) {
      const value = account[name];
      const fits = typeof wanted === 'function' ? wanted(value) : String(value) === String(wanted);
      if (fits) continue;
      throw new Discrepancy(`the server's ${name} is ${value}: ${JSON.stringify(account)}`);
    }
  }

  /** When nobody is at work, nothing may be left over. */
  closeBooks() {
    for (const id of this._accounts.keys()) this.note(`${id}: nobody knows this connection`);
    this._accounts.clear();
    this._unsure.clear();
  }
}

module.exports = { Discrepancy, Ledger };
