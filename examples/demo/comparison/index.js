// The comparison's WebSocket: whoever is connected may start one, and all of them see
// what is measured. One runs at a time.
//
// Called by the demo's server.js. Tests: __test__/examples/demo.test.js.

'use strict';

const WebSocket = require('../../..');
const compare = require('./run');
const scenarios = require('./scenarios');

const wss = new WebSocket.Server({ noServer: true, maxPayload: 1024 });
const shown = scenarios.map(({ headline, id, seconds, text, title }) => {
  return { headline, id, seconds, text, title };
});
let running = null;
let stopped = false;

function tell(event) {
  const text = JSON.stringify(event);
  for (const client of wss.clients) client.send(text);
}

/** Why no comparison is possible here, or null. */
function obstacle() {
  try {
    require.resolve('ws');
    return null;
  } catch {
    return 'ws is not installed: npm install';
  }
}

async function start(scenario) {
  const { id } = scenario;
  tell({ begin: id });
  running = { id, ...compare(scenario, (event) => tell({ ...event, id })) };
  let error = null;
  try {
    await running.done;
  } catch (reason) {
    error = stopped ? null : reason.message;
  }
  running = null;
  tell({ end: id, error });
}

/** The scenario that a message asks for, or undefined. */
function asked(data) {
  try {
    const { start: id } = JSON.parse(data);
    return scenarios.find((scenario) => scenario.id === id);
  } catch {
    return undefined;
  }
}

wss.on('connection', (ws) => {
  // A peer that breaks the protocol is closed by the library; there is nothing left to do.
  ws.on('error', () => {});
  ws.send(
    JSON.stringify({
      scenarios: shown,
      running: running === null ? null : running.id,
      obstacle: obstacle()
    })
  );
  ws.on('message', (data) => {
    const scenario = asked(data);
    if (scenario !== undefined && running === null && !stopped && obstacle() === null) {
      start(scenario);
    }
  });
});

/** Ends what runs, and starts nothing any more. */
wss.stop = () => {
  stopped = true;
  running?.stop();
};

module.exports = wss;
