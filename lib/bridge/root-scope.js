// The asynchronous context of accepted connections: no store of the user's, as with
// sockets that Node accepts. Runs on: js.

'use strict';

const { AsyncResource } = require('async_hooks');

// Where Node keeps stores in a resource: one symbol an AsyncLocalStorage, one for all since Node 22.
const STORES = new Set(['kResourceStore', 'async_context_frame', 'context_frame']);

class RootScope extends AsyncResource {
  /** For tools that look for what keeps a process alive: the turns of Rust have this resource as well. */
  hasRef() {
    return false;
  }
}

const rootScope = new RootScope('FERROWS');

// This module may be loaded while a store is in force.
for (const symbol of Object.getOwnPropertySymbols(rootScope)) {
  if (STORES.has(symbol.description)) rootScope[symbol] = undefined;
}

module.exports = rootScope;
