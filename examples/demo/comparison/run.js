// One comparison: the same load against ws and against ferrows, one after the other,
// each server in a process of its own and the load in a third.
//
// Used by index.js. Every process ends with the comparison, whatever happens.

'use strict';

const path = require('path');
const { fork } = require('child_process');

const LIBRARIES = ['ws', 'ferrows'];
// A process that says nothing for so long will say nothing any more.
const PATIENCE = 20000;

const at = (file) => path.join(__dirname, file);

/** A process, and its next message that has a certain key. */
class Child {
  constructor(file, args, onMessage) {
    this.process = fork(at(file), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this._waiting = null;
    this.process.on('message', (message) => {
      onMessage?.(message);
      this._settle(message);
    });
    this.process.on('error', (error) => this._settle({ error: error.message }));
    this.process.on('exit', () => this._settle({ error: `${file} ended unexpectedly` }));
  }

  _settle(message) {
    if (this._waiting === null) return;
    const { key, reject, resolve, timer } = this._waiting;
    if (message[key] === undefined && message.error === undefined) return;
    clearTimeout(timer);
    this._waiting = null;
    if (message.error === undefined) resolve(message);
    else reject(new Error(message.error));
  }

  next(key) {
    return new Promise((resolve, reject) => {
      const late = () => this._settle({ error: 'the comparison does not go on' });
      this._waiting = { key, reject, resolve, timer: setTimeout(late, PATIENCE) };
    });
  }

  stop() {
    this.process.kill();
    this._settle({ error: 'stopped' });
  }
}

/** What a server's process cost so far, at any time between its reports. */
class Costs {
  constructor() {
    this._reports = [];
  }

  add(report) {
    this._reports.push(report);
  }

  get driver() {
    return this._reports[this._reports.length - 1]?.driver ?? null;
  }

  /** Milliseconds of CPU until `time`, in all and of the JavaScript thread; null if unknown. */
  _until(time) {
    const later = this._reports.findIndex((report) => report.at >= time);
    const after = this._reports[later < 0 ? this._reports.length - 1 : later];
    const before = this._reports[Math.max(this._reports.indexOf(after) - 1, 0)];
    if (after === undefined) return { cpu: null, js: null };
    const share = after === before ? 0 : (time - before.at) / (after.at - before.at);
    const between = (from, to) =>
      from === null || to === null ? null : from + (to - from) * share;
    return { cpu: between(before.cpu, after.cpu), js: between(before.js, after.js) };
  }

  /** Shares of one CPU between two times, 1 being all of it. */
  between(from, to) {
    const [start, end] = [this._until(from), this._until(to)];
    const share = (key) =>
      start[key] === null || end[key] === null ? null : (end[key] - start[key]) / (to - from);
    return { cpu: share('cpu'), js: share('js') };
  }
}

async function measure(library, scenario, onEvent, children) {
  const costs = new Costs();
  const server = new Child('server.js', [library], (message) => {
    if (message.cpu !== undefined) costs.add(message);
  });
  children.push(server);
  const { port } = await server.next('port');
  let begin = null;
  let last = null;
  const load = new Child('load.js', [], (message) => {
    if (message.begin !== undefined) {
      begin = last = message.begin;
    } else if (message.at !== undefined) {
      const { at: now, ...sample } = message;
      onEvent({
        sample: {
          ...sample,
          ...costs.between(last, now),
          driver: costs.driver,
          time: (now - begin) / 1000
        },
        library
      });
      last = now;
    }
  });
  children.push(load);
  load.process.send({ port, scenario });
  const { rate, p50, p99 } = await load.next('end');
  const cost = costs.between(begin, last);
  const perMessage = (share) => (share === null ? null : (share * 1e6) / rate);
  onEvent({
    result: { rate, p50, p99, ...cost, cpuEach: perMessage(cost.cpu), jsEach: perMessage(cost.js) },
    library
  });
  server.stop();
  load.stop();
}

/**
 * @param {Object} scenario One of scenarios.js
 * @param {Function} onEvent Called with `{ library, sample }` five times a second, and with
 *     `{ library, result }` at the end of each library. Times in seconds and milliseconds, costs
 *     as shares of a CPU and in microseconds a message
 * @return {{done: Promise, stop: Function}}
 */
function compare(scenario, onEvent) {
  const children = [];
  const stop = () => children.forEach((child) => child.stop());
  const done = (async () => {
    try {
      for (const library of LIBRARIES) await measure(library, scenario, onEvent, children);
    } finally {
      stop();
    }
  })();
  return { done, stop };
}

module.exports = compare;
