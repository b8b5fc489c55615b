// The door to the reactors: the only folder that reads or writes records.
//
// Owns: the lanes of this module registry, the calls from Rust, the listeners, the
// flush at exit. Runs on: js.
// INVARIANT: one turn at a time: ticks that come between events start none.
// Tests: __test__/process, __test__/api.

'use strict';

// Whoever plays with the clock of a test does not stop the connections.
const { setImmediate } = require('timers');
const { getSystemErrorName } = require('util');

const binding = require('../binding');
const httpRules = require('../http-rules');
const { Hold, watchHolds } = require('./hold');
const Hub = require('./hub');
const Lane = require('./lane');
const layout = require('./layout');
const { rootScope, takeStores } = require('./root-scope');

const { STATUS_IN_TURN } = layout;

// How long process.exit() may wait for bytes to be written, in milliseconds.
const EXIT_FLUSH_LIMIT = 200;
const LISTENER_IDS = 65536;

// The event loops of Bun and Deno are not libuv, whatever their symbols say.
const LOOP_USABLE = process.versions.bun === undefined && process.versions.deno === undefined;

let native;
let lanes = [];
let draining = false;
let turns = 0;
let nextLane = 0;
let nextListener = 0;
let bell = 'down';
let news = false;
let rested = true;
let rung = false;
const listeners = new Map();

const door = {
  /** Events were delivered by a call of this thread. */
  onNews() {
    if (news) return;
    news = true;
    process.nextTick(drain);
  },

  /** An upgrade request; `false` if its listener is gone. */
  onUpgrade(id, ...request) {
    const listener = listeners.get(id);
    if (listener === undefined) return false;
    listener.inScope(listener.onUpgrade, ...request);
    return true;
  }
};

/** The number in what Rust says of an error of the operating system. */
function errnoOf(error) {
  const match = /\(os error (\d+)\)/.exec(error.message);
  return match === null ? -1 : Number(match[1]);
}

/** Makes the reactors with the first use. Throws if the process has no descriptor left. */
function start() {
  if (native !== undefined) return;
  // Whoever uses it first may have a store in force, which turns must not see.
  native = rootScope.runInAsyncScope(() => new binding.Bridge(turn, rootScope, LOOP_USABLE));
  lanes = Array.from({ length: native.laneCount }, (_, index) => new Lane(native, index, door));
}

/**
 * Called by the inline driver with what a turn brought, in the asynchronous context of rootScope. What
 * handlers wrote it submits itself.
 */
function turn(index, drained) {
  turns++;
  draining = true;
  try {
    lanes[index].arrivals.dispatch(drained, true);
  } finally {
    draining = false;
  }
}

// Called when the doorbell rings: a worker has news. Once in an iteration of the event loop, or a worker
// and this thread would answer each other while whatever else JavaScript began waits: connections would
// end before others that were opened earlier are open.
function onBell() {
  if (!rested) {
    rung = true;
    return;
  }
  rested = false;
  // The loop does not hurry because of this one: it runs when the loop has polled.
  setImmediate(rest).unref();
  drain();
}

function rest() {
  rested = true;
  if (!rung) return;
  rung = false;
  // In the next iteration.
  setImmediate(onBell);
}

// What a handler throws passes through here to uncaughtException; what is left of the batch is
// delivered in a callback of its own.
function drain() {
  // Within a turn the records of handlers are submitted at its end.
  const outermost = !draining && lanes.every((lane) => lane.status[STATUS_IN_TURN] === 0);
  const before = draining;
  let finished = false;

  news = false;
  native.answer();
  turns++;
  draining = true;
  if (outermost) setInTurn(1);
  try {
    let more = false;
    for (const lane of lanes) more = lane.arrivals.drain() || more;
    finished = !more;
  } finally {
    draining = before;
    if (outermost) {
      setInTurn(0);
      for (const lane of lanes) lane.submit();
    }
    if (!finished) setImmediate(onBell);
  }
}

function setInTurn(value) {
  for (const { status } of lanes) status[STATUS_IN_TURN] = value;
}

function onExit() {
  native.flush(EXIT_FLUSH_LIMIT);
  // Listeners that come after this one may send, too, and there will be no other tick.
  for (const lane of lanes) lane.setEager();
}

watchHolds((wanted) => {
  if (wanted === bell) return;
  start();
  if (bell === 'down') process.on('exit', onExit);
  if (wanted === 'down') {
    process.removeListener('exit', onExit);
    native.close();
  } else {
    native.open(onBell, wanted === 'referenced');
  }
  bell = wanted;
});

/**
 * The lane for the next connection that this thread brings along.
 *
 * @return {Lane}
 */
function chooseLane() {
  start();
  nextLane = (nextLane + 1) % lanes.length;
  return lanes[nextLane];
}

/**
 * Hands a descriptor to a reactor.
 *
 * @param {Lane} lane
 * @param {{slot: Number, generation: Number}} id From `lane.reserve()`
 * @param {Number} fd
 * @param {Uint32Array} settings
 * @param {Uint8Array} preface Bytes to write first
 * @param {Uint8Array} initial Bytes that were read already
 * @throws {Error} If the descriptor cannot be duplicated or watched; nothing has changed then
 */
function adopt(lane, id, fd, settings, preface, initial) {
  lane.submit();
  const errno = native.adopt(lane.index, id.slot, id.generation, fd, settings, preface, initial);
  if (errno === 0) return;
  const code = errno > 0 ? getSystemErrorName(-errno) : 'EUNKNOWN';
  throw Object.assign(new Error(`adopt ${code}`), { errno: -errno, code, syscall: 'adopt' });
}

/**
 * Listens natively.
 *
 * @param {Object} listener Receives `onUpgrade(lane, slot, generation, head)`
 * @param {{address: String, port: Number, backlog: Number, ipv6Only: Boolean}} options
 * @return {{id: Number, errno: Number, address: String, port: Number, family: String}}
 */
function listen(listener, { address, port, backlog, ipv6Only }) {
  try {
    start();
  } catch (error) {
    return { id: -1, errno: errnoOf(error), address: '', port: 0, family: '' };
  }
  while (listeners.has(nextListener)) nextListener = (nextListener + 1) % LISTENER_IDS;
  const id = nextListener;
  const outcome = native.listen(id, address, port, backlog, ipv6Only, httpRules());
  if (outcome.errno === 0) {
    listeners.set(id, listener);
    // Not soon again: requests of a listener that was closed may still be on their way.
    nextListener = (nextListener + 1) % LISTENER_IDS;
  }
  return { id, ...outcome };
}

/**
 * Takes a listener away from the reactors. Upgrade requests that had arrived still come.
 *
 * @param {Number} id
 * @param {Function} onVacated Called when they have come
 * @return {{fd: Number, guests: Array<{fd: Number, said: Number[], idle: Boolean}>}} The descriptors
 *     are the caller's
 */
function vacate(id, onVacated) {
  const vacated = native.vacate(id);
  process.nextTick(deliverLast, onVacated);
  return vacated;
}

function deliverLast(onVacated) {
  if (lanes.some((lane) => lane.arrivals.active)) {
    setImmediate(deliverLast, onVacated);
    return;
  }
  try {
    drain();
  } finally {
    onVacated();
  }
}

/**
 * Drops the connections of a listener that have not asked for an upgrade.
 *
 * @param {Number} id
 */
function unlisten(id) {
  native.unlisten(id);
  process.nextTick(deliverLast, () => listeners.delete(id));
}

/**
 * The addresses of a TCP connection, or null once it is gone.
 *
 * @param {Lane} lane
 * @param {Number} slot
 * @param {Number} generation
 * @return {?Object}
 */
function addresses(lane, slot, generation) {
  return native.addresses(lane.index, slot, generation);
}

/**
 * What a connection has carried, with all that was sent, or had when it went.
 *
 * @param {Lane} lane
 * @param {Number} slot
 * @param {Number} generation
 * @return {{received: Number, sent: Number}}
 */
function carriedBytes(lane, slot, generation) {
  const carried = native.counts(lane.index, slot, generation);
  if (carried === null) return { received: 0, sent: 0 };
  lane.after(carried.outcome);
  return carried;
}

/**
 * What the connections of a server have done, with all that was sent.
 *
 * @param {Number} account The server's
 * @param {Boolean} ends Nothing more is counted in it
 * @return {Number[]} By the constants `TALLY_…`
 */
function tally(account, ends) {
  const sum = new Array(layout.TALLY_NUMBERS).fill(0);
  for (const lane of lanes) {
    const { numbers, outcome } = native.tally(lane.index, account, ends);
    lane.after(outcome);
    numbers.forEach((count, at) => (sum[at] += count));
  }
  return sum;
}

/** @return {{waiting: Number, limit: Number}} Bytes that wait for this thread, and how many may */
function budget() {
  return native === undefined ? { waiting: 0, limit: 0 } : native.budget();
}

/** @return {Object[]} What has become of each reactor, none before the first use */
function activities() {
  return lanes.map(({ index }) => ({ driver: native.driver(index), ...native.activity(index) }));
}

/**
 * The descriptor of a connection: the reactor's own.
 *
 * @param {Lane} lane
 * @param {Number} slot
 * @param {Number} generation
 * @return {Number} -1 once it is gone
 */
function descriptor(lane, slot, generation) {
  return native.descriptor(lane.index, slot, generation);
}

/**
 * Takes a connection out of its reactor; EVENT_EXTRACTED is the last that it reports.
 *
 * @param {Lane} lane
 * @param {Number} slot
 * @param {Number} generation
 * @param {Number} ahead How many bytes to read of what waits for it
 * @return {?Extracted} Null if it is gone
 */
function extract(lane, slot, generation, ahead) {
  const extracted = native.extract(lane.index, slot, generation, ahead);
  if (extracted !== null) lane.after(extracted.outcome);
  return extracted;
}

/**
 * Takes part in the topics that threads share under a name, or in some that no other thread knows.
 *
 * @param {?String} name
 * @return {Hub}
 * @throws {Error} Where there are no reactors
 */
function openHub(name) {
  if (binding.Bridge === undefined) {
    const error = new Error('Topics of several threads are not available on this platform');
    throw Object.assign(error, { code: 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM' });
  }
  start();
  return new Hub(native, native.openHub(name));
}

/**
 * Carries the topics of a hub to other processes.
 *
 * @param {Hub} hub
 * @param {Object} options
 * @param {Function} onNews Called when there is something to take
 * @return {BackboneHandle}
 * @throws {Error} If another thread has it carried otherwise
 */
function openBackbone(hub, options, onNews) {
  try {
    return hub.openBackbone(options, onNews);
  } catch (error) {
    if (error.message !== 'another') throw error;
    const text = 'The "backbone" option differs from that of another thread with the same hub';
    throw Object.assign(new TypeError(text), { code: 'ERR_INVALID_ARG_VALUE' });
  }
}

/**
 * Who drives the reactors of this thread just now.
 *
 * @return {Array<String>} 'inline' or 'worker' for each, none before the first use
 */
function drivers() {
  return lanes.map((lane) => native.driver(lane.index));
}

/**
 * Changes the driver at once, for tests. The policy goes on from there.
 *
 * @param {String} driver 'inline' or 'worker'
 * @return {Boolean} Whether there is such a choice
 */
function handTo(driver) {
  start();
  return native.handTo(driver);
}

module.exports = {
  Hold,
  acceptKey: binding.acceptKey,
  activities,
  addresses,
  adopt,
  budget,
  carriedBytes,
  chooseLane,
  currentTurn: () => turns,
  descriptor,
  drivers,
  extract,
  handTo,
  isDraining: () => draining,
  lanes: () => lanes,
  openBackbone,
  openHub,
  layout,
  listen,
  rootScope,
  takeStores,
  tally,
  turnBounds: binding.turnBounds,
  unlisten,
  vacate
};
