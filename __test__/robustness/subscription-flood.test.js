// A peer that floods a server with topics, through a handler that joins what it is told to.

'use strict';

const path = require('path');
const { fork } = require('child_process');
const { once } = require('events');

const { RawPeer, frame } = require('../support/raw-peer');

const PROGRAM = path.join(__dirname, '..', 'support', 'subscribing-server.js');
const TEXT = 0x81;
const MOST = 10;
const FLOOD = 200_000;
const BATCH = 1000;
// Without a limit the names alone would be more than three times as much.
const NAME_LENGTH = 500;
const ROOM = 32 * 1024;
const REFUSED = 'ERR_TOO_MANY_SUBSCRIPTIONS';

const cleanUp = [];

afterEach(async () => {
  while (cleanUp.length > 0) await cleanUp.pop()();
});

/** A server in a process of its own, which fails whoever waits for it when it ends. */
async function start(environment) {
  const args = [JSON.stringify({ maxSubscriptions: MOST })];
  const child = fork(PROGRAM, args, { env: { ...process.env, ...environment } });
  const ended = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`The server has ended with ${code === null ? signal : code}`);
  });
  ended.catch(() => {});
  cleanUp.push(() => child.kill('SIGKILL'));
  const answer = async () => (await Promise.race([once(child, 'message'), ended]))[0];
  const { port } = await answer();
  const ask = (question) => {
    child.send(question);
    return answer();
  };
  return { ask, ended, port };
}

async function open(port) {
  const peer = await RawPeer.open(port);
  cleanUp.push(() => peer.socket.destroy());
  return peer;
}

async function echo(peer, text) {
  peer.send(frame(TEXT, text));
  const next = await peer.nextFrame();
  expect(next && String(next.payload)).toBe(text);
}

let next = 0;

/** Sends that many orders, each with a name of its own, and resolves when all were handled. */
async function flood(peer, order, count) {
  for (let sent = 0; sent < count; sent += BATCH) {
    const orders = Array.from({ length: BATCH }, () =>
      frame(TEXT, `${order} ${String(next++).padEnd(NAME_LENGTH, '.')}`)
    );
    const bytes = Buffer.concat(orders);
    if (!peer.socket.write(bytes)) await once(peer.socket, 'drain');
  }
  await echo(peer, 'all');
}

const settings = [
  ['native, inline', { FERROWS_IO: 'inline', FERROWS_TRANSPORT: undefined }],
  ['native, a worker', { FERROWS_IO: 'worker', FERROWS_TRANSPORT: undefined }],
  ['stream', { FERROWS_TRANSPORT: 'stream' }]
];

describe.each(settings)('%s', (name, environment) => {
  test.each(['join', 'move'])(
    'whoever floods with "%s" gets as many topics as it may have, and harms nobody',
    async (order) => {
      const { ask, ended, port } = await start(environment);
      const healthy = await open(port);
      await echo(healthy, 'before');
      healthy.send(frame(TEXT, 'join room'));
      await echo(healthy, 'joined');
      const attacker = await open(port);
      // Until the program's own memory has grown.
      await flood(attacker, 'join', 10 * BATCH);
      await flood(attacker, order, 10 * BATCH);
      const before = await ask({});

      let over = false;
      const flooded = flood(attacker, order, FLOOD).finally(() => (over = true));
      flooded.catch(() => {});
      let answers = 0;
      while (!over) await echo(healthy, `still there ${answers++}`);
      await Promise.race([flooded, ended]);
      expect(answers).toBeGreaterThan(0);

      const after = await ask({});
      expect(after).toMatchObject({ clients: [1, MOST], topics: MOST + 1 });
      const refusals = order === 'join' ? FLOOD : 0;
      expect(after.refused).toEqual({ [REFUSED]: before.refused[REFUSED] + refusals });
      expect(after.maxRSS - before.maxRSS).toBeLessThan(ROOM);

      expect(await ask({ publish: 'room' })).toEqual({ reached: 1 });
      const { payload } = await healthy.nextFrame();
      expect(String(payload)).toBe('room');
      await echo(attacker, 'still there');
      attacker.socket.destroy();
      await echo(healthy, 'alone');
    }
  );
});
