// Runs all cases of a fuzzing server: echo-client.js URL AGENT.

'use strict';

const WebSocket = require('..');

const [, , url, agent] = process.argv;
const OPTIONS = { maxFragments: 0, perMessageDeflate: { threshold: 0 } };
const ATTEMPTS = 200;
const PAUSE = 100;

function connect(path) {
  const websocket = new WebSocket(`${url}${path}`, OPTIONS);
  // The suite breaks the protocol on purpose.
  websocket.on('error', () => {});
  return websocket;
}

// Not events.once(), which an 'error' event rejects.
function closed(websocket) {
  return new Promise((resolve) => websocket.on('close', resolve));
}

async function caseCount() {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const websocket = connect('/getCaseCount');
    const message = new Promise((resolve) => websocket.on('message', resolve));
    const count = await Promise.race([message, closed(websocket).then(() => null)]);
    if (count !== null) return Number(count);
    // The suite takes a few seconds to start.
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  throw new Error(`No fuzzing server answers at ${url}`);
}

async function main() {
  const count = await caseCount();
  console.log(count);
  for (let number = 1; number <= count; number++) {
    const websocket = connect(`/runCase?case=${number}&agent=${agent}`);
    websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
    await closed(websocket);
  }
  await closed(connect(`/updateReports?agent=${agent}`));
}

main();
