// One attack, measured: a fresh server process, a healthy connection and the attackers
// in processes of their own, which end with it. Linux only: memory is read in /proc.

'use strict';

const path = require('path');
const { fork } = require('child_process');
const { once } = require('events');
const { readFileSync, writeFileSync } = require('fs');

// How long the healthy connection is measured alone, and how long an attack may take.
const CALM = 500;
const LIMIT = 40_000;
// After this long, what a burst has left is looked at.
const AFTERWARDS = 5000;
// Resets the peak of resident memory.
const RESET_PEAK = '5';

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function memory(pid, field) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)[1]) / 1024;
}

function start(children, program, args, environment) {
  const child = fork(path.join(__dirname, program), args, {
    env: { ...process.env, ...environment }
  });
  children.push(child);
  return child;
}

async function answer(child, question) {
  if (question !== undefined) child.send(question);
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${path.basename(child.spawnargs[1])} has ended`);
  });
  const [message] = await Promise.race([once(child, 'message'), ended]);
  return message;
}

/** Resolves when the server has what it waits for, or the attackers are done, where it waits for nothing. */
async function attack({ order, server: { until } }, server, peers) {
  const byServer = until !== undefined || order === 'pile' || order === 'broadcast';
  const told = byServer ? answer(server) : null;
  if (order !== undefined) server.send(order);
  const done = answer(peers, 'go');
  if (!byServer) {
    await done;
    return {};
  }
  const finished = await Promise.race([told, sleep(LIMIT).then(() => null)]);
  return finished ?? { late: true };
}

/**
 * @param {Object} scenario One of scenarios.js
 * @param {String} library
 * @param {Object} environment Variables of the server
 * @return {Promise<Object>} Milliseconds and MiB
 */
async function measure(scenario, library, environment) {
  const children = [];
  try {
    const args = [library, JSON.stringify(scenario.server)];
    const server = start(children, 'server.js', args, environment);
    const { port } = await answer(server);
    const echo = start(children, 'echo.js', [port]);
    await answer(echo);
    const peers = start(children, 'peers.js', [port, JSON.stringify(scenario.attack)]);
    await answer(peers);
    echo.send('mark');
    await sleep(CALM);
    const calm = await answer(echo, 'stop');
    writeFileSync(`/proc/${server.pid}/clear_refs`, RESET_PEAK);
    const before = memory(server.pid, 'VmRSS');
    const began = Date.now();
    const { blocked = 0, late = false } = await attack(scenario, server, peers);
    const took = Date.now() - began;
    const attacked = await answer(echo, 'stop');
    const peak = memory(server.pid, 'VmHWM');
    peers.kill();
    await sleep(AFTERWARDS);
    const afterwards = memory(server.pid, 'VmRSS');
    return {
      before,
      peak,
      above: peak - before,
      afterwards,
      took,
      late: Number(late),
      blocked,
      calmP99: calm.p99,
      p50: attacked.p50,
      p99: attacked.p99,
      max: attacked.max
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

module.exports = { measure };
