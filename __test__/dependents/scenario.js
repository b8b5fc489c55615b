// How a scenario is declared, and what most of them need. Required by the files
// *.scenario.js, which scripts/dependents.js runs once with ws and once with ferrows
// under the name ws: their assertions hold for both. A scenario may take LIMIT, and
// its process must then end by itself. What this Node is too old for is skipped.

'use strict';

const { once } = require('events');
const { test } = require('node:test');

const { obstacle } = require('./engines');

const LIMIT = 60000;

/**
 * Declares a scenario.
 *
 * @param {String} title
 * @param {String[]} packages What it stands on; may be left out if every supported Node runs that
 * @param {Function} script Gets `later`, which takes what is to be called at the end
 */
function scenario(title, packages, script) {
  if (script === undefined) [packages, script] = [[], packages];
  const reason = obstacle(packages);
  if (reason !== null) {
    skipped(title, reason);
    return;
  }
  test(title, { timeout: LIMIT }, async () => {
    const ending = [];
    try {
      await script((end) => ending.push(end));
    } finally {
      for (const end of ending.reverse()) await end();
    }
  });
}

function skipped(title, reason) {
  test(`${title} (skipped: ${reason})`, { skip: reason }, () => {});
}

/** Listens on a free port of the loopback interface; returns the port. */
async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server.address().port;
}

/** Closes a server of Node and all that is connected to it. */
function closing(server) {
  return () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
}

/** What `ask` answers once that is true. */
async function until(ask) {
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The next messages of a WebSocket: text as String, binary as Buffer. */
function next(websocket, count = 1) {
  return new Promise((resolve, reject) => {
    const messages = [];
    websocket.on('error', reject);
    websocket.on('message', function collect(data, isBinary) {
      messages.push(isBinary ? data : String(data));
      if (messages.length < count) return;
      websocket.off('message', collect);
      resolve(messages);
    });
  });
}

module.exports = { closing, listen, next, scenario, skipped, until };
