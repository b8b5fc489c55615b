// examples/topics.js: clients of two threads' servers are in one room.

'use strict';

const path = require('path');
const { once } = require('events');
const { spawn } = require('child_process');

const WebSocket = require('../..');

const EXAMPLE = path.join(__dirname, '..', '..', 'examples', 'topics.js');

let child;

afterEach(() => child.kill());

test('rooms across threads', async () => {
  child = spawn(process.execPath, [EXAMPLE, '2'], { env: { ...process.env, PORT: '0' } });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const urls = () => output.match(/ws:\S+\n/g) || [];
  while (urls().length < 2) await once(child.stdout, 'data');
  const [first, second] = urls().map((url) => url.trim());
  const next = (client) => once(client, 'message').then(([data]) => data.toString());
  const a = new WebSocket(first);
  await once(a, 'open');
  const joined = next(a);
  const b = new WebSocket(second);
  await once(b, 'open');
  expect(JSON.parse(await joined)).toEqual({ here: 2 });
  const heard = next(b);
  a.send('hello');
  expect(await heard).toBe('hello');
  const told = next(a);
  b.close();
  expect(JSON.parse(await told)).toEqual({ here: 1 });
  a.terminate();
});
