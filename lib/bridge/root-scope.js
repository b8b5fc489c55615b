// The asynchronous context of accepted connections: no store of the user's, as with
// sockets that Node accepts.
//
// Owns: what AsyncLocalStorage's enterWith() leaves in it, where stores are kept in
// resources (before Node 24): that is for one connection. Used by arrivals.js and
// whatever calls users back for an accepted connection. Runs on: js.
// Tests: __test__/differential/context.test.js.

'use strict';

const { AsyncResource } = require('async_hooks');

// Where Node keeps stores in a resource: one symbol an AsyncLocalStorage, one for all since Node 22.
const KEPT_IN_RESOURCE = 'kResourceStore';
const STORES = new Set([KEPT_IN_RESOURCE, 'async_context_frame', 'context_frame']);

// By the symbol of their AsyncLocalStorage.
const stores = new Map();
let isTouched = false;

/** Has what is stored under a symbol noticed from then on. */
function watch(resource, symbol) {
  Object.defineProperty(resource, symbol, {
    configurable: true,
    enumerable: true,
    get: () => stores.get(symbol),
    set: (store) => {
      stores.set(symbol, store);
      if (store !== undefined) isTouched = true;
    }
  });
}

// PERF: the first store of an AsyncLocalStorage is seen on its way up the chain of prototypes, later
// ones by accessors: looking for them after each connection would cost a sixth of a microsecond.
const watching = new Proxy(AsyncResource.prototype, {
  set(target, key, value, receiver) {
    if (typeof key !== 'symbol' || key.description !== KEPT_IN_RESOURCE) {
      return Reflect.set(target, key, value, receiver);
    }
    watch(receiver, key);
    receiver[key] = value;
    return true;
  }
});

class RootScope extends AsyncResource {
  /** For tools that look for what keeps a process alive: the turns of Rust have this resource as well. */
  hasRef() {
    return false;
  }
}

// PERF: not by way of the proxy.
RootScope.prototype.runInAsyncScope = AsyncResource.prototype.runInAsyncScope;
Object.setPrototypeOf(RootScope.prototype, watching);

const rootScope = new RootScope('FERROWS');

// This module may be loaded while a store is in force.
for (const symbol of Object.getOwnPropertySymbols(rootScope)) {
  if (STORES.has(symbol.description)) rootScope[symbol] = undefined;
}

/**
 * Takes away the stores that a handler has entered for good.
 *
 * @return {?AsyncResource} A resource that has them, null if there are none
 */
function takeStores() {
  if (!isTouched) return null;
  isTouched = false;
  let own = null;
  for (const [symbol, store] of stores) {
    if (store === undefined) continue;
    if (own === null) own = new AsyncResource('WebSocket');
    own[symbol] = store;
    stores.set(symbol, undefined);
  }
  return own;
}

module.exports = { rootScope, takeStores };
