// A Redis Cluster: sharded channels on the nodes that have their slots, and what becomes of them when
// the cluster changes.

'use strict';

const { RedisCluster } = require('../support/redis-cluster');
const { suite } = require('../support/backbone-suite');

jest.setTimeout(120000);

const { cleanup, startServer, withEngine } = suite();

const TOPICS = Array.from({ length: 30 }, (_, index) => `room ${index}`).concat([
  'a}b',
  '}',
  '%7D'
]);

const isType = (type) => (event) => event.type === type;

async function startCluster() {
  const cluster = new RedisCluster();
  cleanup(() => cluster.remove());
  return cluster.start();
}

withEngine('redis', 'topics lie on the nodes that have their slots', async () => {
  const cluster = await startCluster();
  const here = await startServer(cluster.urls[0]);
  const there = await startServer([...cluster.urls].reverse());
  const client = await there.client(...TOPICS);
  await there.ask('flush');
  const { channels } = cluster;
  for (const list of channels) expect(list.length).toBeGreaterThan(0);
  expect(channels.flat()).toHaveLength(TOPICS.length);
  channels.forEach((list, node) => {
    for (const channel of list) expect(cluster.ownerOf(channel)).toBe(node);
  });
  for (const topic of TOPICS) await here.publish(topic, `to ${topic}`);
  await client.count(TOPICS.length);
  expect([...client.messages].sort()).toEqual(TOPICS.map((topic) => `to ${topic}`).sort());
  // Who wants nothing any more is subscribed to nothing, and nobody takes that for a change.
  client.ws.close();
  while (cluster.channels.flat().length > 0) await there.ask('flush');
  const again = await there.client('room 1');
  await there.ask('flush');
  await here.publish('room 1', 'again');
  await again.until('again');
  for (const server of [here, there]) {
    expect(server.events.map(({ type }) => type)).toEqual(['connected']);
  }
});

withEngine('redis', 'a history in a cluster', async () => {
  const cluster = await startCluster();
  const settings = { url: cluster.urls, history: true };
  const [here, there] = [await startServer(settings), await startServer(settings)];
  const witness = await there.client(...TOPICS);
  await there.ask('flush');
  const since = new Map();
  for (const topic of TOPICS) since.set(topic, await there.ask('position', { topic }));
  for (const topic of TOPICS) await here.publish(topic, `to ${topic}`);
  await witness.count(TOPICS.length);
  for (const [index, topic] of TOPICS.entries()) {
    const back = await there.recover(topic, since.get(topic));
    expect(await there.nth(index, isType('history'))).toMatchObject({
      topic,
      complete: true,
      messages: 1
    });
    await back.until(`to ${topic}`);
  }
  for (const server of [here, there]) {
    expect(server.events.filter(({ error }) => error !== undefined)).toEqual([]);
  }
});

withEngine('redis', 'a slot that moves to another node is followed', async () => {
  const cluster = await startCluster();
  const here = await startServer(cluster.urls);
  const there = await startServer(cluster.urls);
  const client = await there.client('room');
  await there.ask('flush');
  await here.publish('room', 'before');
  await client.until('before');
  const from = cluster.ownerOf('ferrows:{room}');
  const to = (from + 1) % 3;
  cluster.move('ferrows:{room}', from, to);
  // Who is subscribed is told; who publishes finds out.
  await there.until(isType('lost'));
  await there.until(isType('gap'));
  await there.ask('flush');
  expect(cluster.channels[to]).toContain('ferrows:{room}');
  await here.publish('room', 'after');
  await client.until('after');
  expect(client.messages).toEqual(['before', 'after']);
});

withEngine('redis', 'a node that is killed and comes back', async () => {
  const cluster = await startCluster();
  const here = await startServer(cluster.urls);
  const there = await startServer(cluster.urls);
  const client = await there.client(...TOPICS);
  const local = await here.client(...TOPICS);
  for (const server of [here, there]) await server.ask('flush');
  await cluster.nodes[1].kill();
  for (const server of [here, there]) await server.until(isType('lost'));
  for (const topic of TOPICS) await here.publish(topic, `to ${topic}`);
  // Local delivery goes on.
  await local.count(TOPICS.length);
  await cluster.nodes[1].start();
  await cluster.agreed();
  for (const server of [here, there]) {
    for (const topic of TOPICS) {
      await server.until((event) => event.type === 'gap' && event.topic === topic);
    }
    await server.ask('flush');
  }
  await here.publish('room 1', 'last');
  await client.until('last');
  expect(new Set(client.messages).size).toBe(client.messages.length);
});
