// Liveness: the process stays alive exactly while something is held and referenced.
//
// Owns: the counts. Tells the door (index.js) when they change what it has to do.
// Runs on: js. Tests: __test__/process.

'use strict';

let resources = 0;
let references = 0;
let onChange = null;

/** @return {String} 'down', 'unreferenced' or 'referenced' */
function wanted() {
  if (resources === 0) return 'down';
  return references === 0 ? 'unreferenced' : 'referenced';
}

/**
 * @param {Function} listener Called with what is wanted, whenever that may have changed
 */
function watchHolds(listener) {
  onChange = listener;
}

/**
 * Something that receives events and, while referenced, keeps the process alive: an open
 * connection or a listener.
 */
class Hold {
  constructor() {
    this._held = false;
    this._referenced = true;
  }

  acquire() {
    if (this._held) return;
    this._held = true;
    resources++;
    if (this._referenced) references++;
    onChange(wanted());
  }

  release() {
    if (!this._held) return;
    this._held = false;
    resources--;
    if (this._referenced) references--;
    onChange(wanted());
  }

  set referenced(value) {
    if (value === this._referenced) return;
    this._referenced = value;
    if (!this._held) return;
    references += value ? 1 : -1;
    onChange(wanted());
  }

  get referenced() {
    return this._referenced;
  }
}

module.exports = { Hold, watchHolds };
