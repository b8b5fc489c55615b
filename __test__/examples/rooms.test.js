// examples/rooms: clients of two processes' servers are in one room, over either engine.

'use strict';

const path = require('path');
const { once } = require('events');
const { spawn } = require('child_process');

const WebSocket = require('../..');
const { withEngine } = require('../support/engines');

const EXAMPLE = path.join(__dirname, '..', '..', 'examples', 'rooms');

let child;

afterEach(async () => {
  if (child === undefined) return;
  const exited = once(child, 'close');
  child.kill();
  await exited;
});

/** A client in the room, and what it is told one after the other. */
async function join(url) {
  const ws = new WebSocket(url);
  const messages = [];
  ws.on('message', (data) => messages.push(data.toString()));
  const until = async (message) => {
    while (!messages.includes(message)) await once(ws, 'message');
  };
  await until('{"joined":"/room"}');
  return { ws, until };
}

for (const name of ['redis', 'nats']) {
  const { test: run, title } = withEngine(name, `rooms across processes, by ${name}`);

  run(title, async () => {
    child = spawn(process.execPath, [EXAMPLE, name], { env: { ...process.env, PORT: '0' } });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    const urls = () => output.match(/ws:\S+\n/g) || [];
    while (urls().length < 2) await once(child.stdout, 'data');
    const [first, second] = urls().map((url) => url.trim());
    const [a, b] = [await join(first), await join(second)];
    a.ws.send('hello');
    await b.until('hello');
    b.ws.send('hello yourself');
    await a.until('hello yourself');
    for (const { ws } of [a, b]) ws.terminate();
  });
}
