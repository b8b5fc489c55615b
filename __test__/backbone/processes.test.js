// What two and three processes with a backbone have of each other.

'use strict';

const { suite } = require('../support/backbone-suite');

jest.setTimeout(60000);

const { startEngine, startServer, withEngine } = suite();

describe.each(['redis', 'nats'])('%s', (name) => {
  withEngine(
    name,
    'what is published in one process reaches the subscribers of the others once',
    async () => {
      const engine = await startEngine(name);
      const servers = [];
      for (let i = 0; i < 3; i++) servers.push(await startServer(engine.url));
      const clients = [];
      for (const server of servers)
        clients.push(await server.client('room'), await server.client('room'));
      for (const server of servers) await server.ask('flush');

      expect(await servers[0].publish('room', 'first')).toBe(2);
      for (const client of clients) await client.until('first');
      // A member that publishes does not hear itself, by whatever way.
      clients[5].publish('room', 'second');
      for (const client of clients.slice(0, 5)) await client.until('second');
      await servers[1].publish('room', 'last');
      for (const client of clients) await client.until('last');

      for (const client of clients.slice(0, 5)) {
        expect(client.messages).toEqual(['first', 'second', 'last']);
      }
      expect(clients[5].messages).toEqual(['first', 'last']);
    }
  );

  withEngine(name, 'messages of one publisher keep their order and their kind', async () => {
    const engine = await startEngine(name);
    const [here, there] = [await startServer(engine.url), await startServer(engine.url)];
    const client = await there.client('room');
    await there.ask('flush');
    await here.publish('room', 'm', { times: 5000 });
    await here.ask('publishBytes', { topic: 'room', length: 100000 });
    const messages = await client.count(5001);
    expect(messages.slice(0, 5000)).toEqual(Array.from({ length: 5000 }, (_, i) => `m${i}`));
    expect(messages[5000]).toEqual(Buffer.alloc(100000, 7));
  });

  withEngine(name, 'a process receives only the topics that it has subscribers for', async () => {
    const engine = await startEngine(name);
    const [here, there] = [await startServer(engine.url), await startServer(engine.url)];
    const wanted = Array.from({ length: 10 }, (_, i) => `topic ${i * 1000}`);
    const client = await there.client(...wanted);
    await there.ask('flush');
    for (let i = 0; i < 10000; i++) here.publish(`topic ${i}`, `${i}`);
    await here.ask('flush');
    await client.until('9000');
    const { received, topics } = await there.ask('counts');
    expect({ received, topics }).toEqual({ received: 10, topics: 10 });
    expect(client.messages).toEqual(wanted.map((_, i) => `${i * 1000}`));
  });

  withEngine(name, 'a topic is dropped at the engine with its last subscriber', async () => {
    const engine = await startEngine(name);
    const [here, there] = [await startServer(engine.url), await startServer(engine.url)];
    const [one, other] = [await there.client('room'), await there.client('room', 'else')];
    await there.ask('flush');
    expect((await there.ask('counts')).topics).toBe(2);
    one.ws.terminate();
    other.ws.terminate();
    while ((await there.ask('counts')).topics > 0) await there.ask('flush');
    await here.publish('room', 'nobody hears it');
    const third = await there.client('else');
    await there.ask('flush');
    await here.publish('else', 'done');
    await third.until('done');
    expect((await there.ask('counts')).received).toBe(1);
  });

  withEngine(
    name,
    'what is local stays in its process, and prefixes keep tenants apart',
    async () => {
      const engine = await startEngine(name);
      const here = await startServer(engine.url);
      const there = await startServer(engine.url);
      const elsewhere = await startServer({ url: engine.url, prefix: 'elsewhere.' });
      const clients = [];
      for (const server of [here, there, elsewhere]) {
        clients.push(await server.client('room'));
        await server.ask('flush');
      }
      await here.publish('room', 'local', { settings: { local: true } });
      await elsewhere.publish('room', 'theirs');
      await here.publish('room', 'ours');
      await clients[0].until('ours');
      await clients[1].until('ours');
      await clients[2].until('theirs');
      expect(clients.map(({ messages }) => messages)).toEqual([
        ['local', 'ours'],
        ['ours'],
        ['theirs']
      ]);
    }
  );
});
