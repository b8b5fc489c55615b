// The asynchronous context of accepted connections: no store of the user's, as with
// sockets that Node accepts. Runs on: js.

'use strict';

const { AsyncResource } = require('async_hooks');

// Where Node keeps stores in a resource: one symbol an AsyncLocalStorage, one for all since Node 22.
const STORES = new Set(['kResourceStore', 'async_context_frame', 'context_frame']);

const rootScope = new AsyncResource('FERROWS');

// This module may be loaded while a store is in force.
for (const symbol of Object.getOwnPropertySymbols(rootScope)) {
  if (STORES.has(symbol.description)) rootScope[symbol] = undefined;
}

// It lives as long as this module; tools that look for open handles are told that it is over.
rootScope.emitDestroy();

module.exports = rootScope;
