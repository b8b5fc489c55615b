// What is wrong with an engine, with what is asked of it and with what comes from it: each a clear
// error that names the engine without credentials, and nothing is lost elsewhere.

'use strict';

const net = require('net');
const { once } = require('events');
const { execFileSync } = require('child_process');

const certificate = require('../support/certificate');
const { suite } = require('../support/backbone-suite');

jest.setTimeout(60000);

const { cleanup, startEngine, startServer, withEngine } = suite();

const isType = (type) => (event) => event.type === type;
const PASSWORD = 'correct horse battery staple';
const isSecret = (text) => text.includes('horse') || text.includes('TROUBADOR');

/** Nothing that a server said, to listeners or to its output, shows a password. */
function expectNoSecrets(server) {
  expect(isSecret(JSON.stringify(server.events))).toBe(false);
  expect(isSecret(server.output)).toBe(false);
}

/** A server that says something to whoever comes. */
async function startImpostor(answer) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    answer(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return server.address().port;
}

/** Messages in this process go their way, whatever the engine does. */
async function expectLocalDelivery(server) {
  const client = await server.client('room');
  await server.publish('room', 'local');
  await client.until('local');
}

function withCredentials(url, username, password) {
  const parsed = new URL(url);
  parsed.username = username;
  parsed.password = encodeURIComponent(password);
  return parsed.href;
}

describe.each(['redis', 'nats'])('%s', (name) => {
  const username = name === 'nats' ? 'ferrows' : '';

  withEngine(name, 'a wrong password, and none', async () => {
    const engine = await startEngine(name, { password: PASSWORD });
    for (const url of [withCredentials(engine.url, username, 'TROUBADOR'), engine.url]) {
      const server = await startServer(url, { connected: false });
      const { address, error } = await server.until(isType('lost'));
      expect(address).toBe(engine.url);
      expect(error.code).toBe('FERROWS_ERR_BACKBONE_CREDENTIALS');
      expect(error.message.startsWith(`${engine.url}: `)).toBe(true);
      await expectLocalDelivery(server);
      expectNoSecrets(server);
    }
  });

  withEngine(name, 'TLS and a password, by URL and by options', async () => {
    const engine = await startEngine(name, { password: PASSWORD, tls: true });
    const ca = engine.certificate.cert.toString();
    const url = withCredentials(engine.url, username, PASSWORD);
    const here = await startServer({ url, tls: { ca } });
    const credentials = { username: username || undefined, password: PASSWORD };
    const there = await startServer({ url: engine.url, tls: { ca }, credentials });
    const client = await there.client('room');
    await there.ask('flush');
    await here.publish('room', 'hello');
    await client.until('hello');
    for (const server of [here, there]) expectNoSecrets(server);
  });

  withEngine(name, 'a certificate that nobody vouches for', async () => {
    const engine = await startEngine(name, { password: PASSWORD, tls: true });
    const ca = certificate.make().cert.toString();
    const url = withCredentials(engine.url, username, PASSWORD);
    for (const backbone of [{ url, tls: { ca } }, url]) {
      const server = await startServer(backbone, { connected: false });
      const { error } = await server.until(isType('lost'));
      expect(error.code).toBe('FERROWS_ERR_BACKBONE_TLS');
      expect(error.message).toMatch(new RegExp(`^${engine.url}: .*certificate`));
      await expectLocalDelivery(server);
      expectNoSecrets(server);
    }
  });

  withEngine(name, 'somebody who only listens', async () => {
    const port = await startImpostor(() => {});
    const scheme = name === 'redis' ? 'redis' : 'nats';
    const backbone = { url: `${scheme}://127.0.0.1:${port}`, timeout: 300 };
    const server = await startServer(backbone, { connected: false });
    const { error } = await server.until(isType('lost'));
    expect(error.code).toBe('FERROWS_ERR_BACKBONE_TIMEOUT');
    await expectLocalDelivery(server);
  });

  withEngine(name, 'bytes that are nobody of ours', async () => {
    const engine = await startEngine(name);
    const [here, there] = [await startServer(engine.url), await startServer(engine.url)];
    const client = await there.client('room');
    await there.ask('flush');
    const send = await foreigner(name, engine);
    for (let i = 0; i < 3; i++) await send('room', `{"type":"message","i":${i}}`);
    const { address, error } = await there.until(isType('error'));
    expect(address).toBe(engine.url);
    expect(error.code).toBe('FERROWS_ERR_BACKBONE_FOREIGN');
    expect(error.message).toContain('"room"');
    await here.publish('room', 'ours');
    await client.until('ours');
    expect(client.messages).toEqual(['ours']);
    // Told once, counted each.
    expect(there.events.filter(isType('error'))).toHaveLength(1);
    expect((await there.ask('counts')).foreign).toBe(3);
  });
});

/** Somebody who publishes what he likes. */
async function foreigner(name, { port }) {
  if (name === 'redis') {
    return (topic, text) => {
      const args = ['-p', String(port), 'PUBLISH', `ferrows:${topic}`, text];
      execFileSync('redis-cli', args, { stdio: 'ignore' });
    };
  }
  const socket = net.connect(port, '127.0.0.1');
  cleanup(() => socket.destroy());
  await once(socket, 'data');
  socket.write('CONNECT {"verbose":false}\r\n');
  return (topic, text) => socket.write(`PUB ferrows.${topic} ${text.length}\r\n${text}\r\n`);
}

/** How many commands there are: each is to be answered. */
const commandsIn = (data) => data.toString().match(/^\*/gm).length;

const OLD_REDIS = '-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n';
const OLDER_REDIS = [
  ...['%3', '$6', 'server', '$5', 'redis', '$7', 'version', '$6', '6.2.14'],
  ...['$5', 'proto', ':3', '']
].join('\r\n');
const OLD_NATS = `INFO ${JSON.stringify({ server_id: 'X', version: '1.4.1', max_payload: 1048576 })}\r\n`;

test.each([
  [
    'Redis 5',
    'redis',
    (socket) => socket.on('data', (data) => socket.write(OLD_REDIS.repeat(commandsIn(data)))),
    /RESP3/
  ],
  [
    'Redis 6',
    'redis',
    (socket) =>
      socket.on('data', (data) => {
        // The first introduces, two more name the library.
        socket.write(OLDER_REDIS + '+OK\r\n'.repeat(commandsIn(data) - 1));
      }),
    /version "6.2.14" is older than 7.0/
  ],
  [
    'NATS 1',
    'nats',
    (socket) => {
      socket.write(OLD_NATS);
      socket.on('data', (data) => {
        if (data.includes('PING')) socket.write('PONG\r\n');
      });
    },
    /version "1.4.1" is older than 2.9/
  ]
])('an engine that is too old: %s', async (_, scheme, answer, text) => {
  const port = await startImpostor(answer);
  const url = `${scheme}://127.0.0.1:${port}`;
  const server = await startServer(url, { connected: false });
  const { error } = await server.until(isType('lost'));
  expect(error.code).toBe('FERROWS_ERR_BACKBONE_ENGINE');
  expect(error.message).toMatch(text);
  expect(error.message.startsWith(`${url}: `)).toBe(true);
  await expectLocalDelivery(server);
});

withEngine('redis', 'a Redis that speaks TLS 1.2 only', async () => {
  const engine = await startEngine('redis', { tls: true, args: ['--tls-protocols', 'TLSv1.2'] });
  const server = await startServer({
    url: engine.url,
    tls: { ca: engine.certificate.cert.toString() }
  });
  await server.ask('flush');
  expect((await server.ask('counts')).state).toBe('connected');
});

describe('what an engine refuses', () => {
  withEngine('redis', 'a message above the limit of Redis', async () => {
    const engine = await startEngine('redis', { args: ['--proto-max-bulk-len', '1mb'] });
    await expectTooLarge(engine, 2 << 20, 'FERROWS_ERR_BACKBONE_REFUSED');
  });

  withEngine('nats', 'a message above the limit of NATS', async () => {
    const engine = await startEngine('nats');
    await expectTooLarge(engine, 2 << 20, 'FERROWS_ERR_BACKBONE_TOO_LARGE');
  });

  withEngine('redis', 'topics and messages that an ACL does not allow', async () => {
    const engine = await startEngine('redis');
    // Those of docs/backbone.md, for one topic.
    const commands = ['publish', 'subscribe', 'unsubscribe', 'ping', 'hello', 'client'];
    const allowed = commands.map((command) => `+${command}`);
    const rules = ['on', `>${PASSWORD}`, 'resetchannels', '&ferrows:allowed', ...allowed];
    const args = ['-p', String(engine.port), 'ACL', 'SETUSER', 'limited', ...rules];
    execFileSync('redis-cli', args, { stdio: 'ignore' });
    const url = withCredentials(engine.url, 'limited', PASSWORD);
    const [here, there] = [await startServer(url), await startServer(url)];
    const client = await there.client('allowed', 'forbidden');
    const { error } = await there.until(isType('error'));
    expect(error.code).toBe('FERROWS_ERR_BACKBONE_REFUSED');
    expect(error.message).toContain('"forbidden"');
    await there.ask('flush');
    await here.publish('forbidden', 'not carried');
    expect((await here.until(isType('error'))).error.code).toBe('FERROWS_ERR_BACKBONE_REFUSED');
    expect(await here.until(isType('dropped'))).toEqual({
      type: 'dropped',
      messages: 1,
      bytes: 11
    });
    await here.publish('allowed', 'carried');
    await client.until('carried');
    expect(client.messages).toEqual(['carried']);
    for (const server of [here, there]) expectNoSecrets(server);
  });

  withEngine('redis', 'what a history needs of an ACL', async () => {
    const engine = await startEngine('redis');
    const plain = ['publish', 'subscribe', 'unsubscribe', 'ping', 'hello', 'client'];
    const more = ['script|load', 'evalsha', 'hget', 'hset', 'hincrby', 'del', 'xadd', 'xrange'];
    const allowed = [...plain, ...more, 'pexpire'].map((command) => `+${command}`);
    const rules = ['on', `>${PASSWORD}`, 'resetchannels', '&ferrows:*', '~ferrows:*', ...allowed];
    const acl = (...args) => {
      const all = ['-p', String(engine.port), 'ACL', 'SETUSER', 'limited', ...args];
      execFileSync('redis-cli', all, { stdio: 'ignore' });
    };
    acl(...rules);
    await expectHistory(engine);
    acl('resetkeys');
    const url = withCredentials(engine.url, 'limited', PASSWORD);
    const server = await startServer({ url, history: true });
    await server.publish('room', 'not carried');
    expect((await server.until(isType('error'))).error.code).toBe('FERROWS_ERR_BACKBONE_REFUSED');
    await server.until(isType('dropped'));
    expectNoSecrets(server);
  });

  withEngine('nats', 'what a history needs of permissions', async () => {
    const publish = ['ferrows.>', '$JS.API.>'];
    const config = permissions(publish, ['ferrows.>', '_INBOX.>']);
    await expectHistory(await startEngine('nats', { config }));
    const engine = await startEngine('nats', { config: permissions('ferrows.>', 'ferrows.>') });
    const url = withCredentials(engine.url, 'limited', PASSWORD);
    const refused = await startServer({ url, history: true, timeout: 500 }, { connected: false });
    const { error } = await refused.until(isType('lost'));
    expect(error.code).toMatch(/^FERROWS_ERR_BACKBONE_(ENGINE|TIMEOUT)$/);
    expectNoSecrets(refused);
  });

  withEngine('nats', 'topics and messages that permissions do not allow', async () => {
    // Those of docs/backbone.md, and one topic less.
    const config = permissions('ferrows.>', { allow: 'ferrows.>', deny: 'ferrows.forbidden' });
    const engine = await startEngine('nats', { config });
    const url = withCredentials(engine.url, 'limited', PASSWORD);
    const [here, there] = [await startServer(url), await startServer(url)];
    const client = await there.client('allowed', 'forbidden');
    const { error } = await there.until(isType('error'));
    expect(error.code).toBe('FERROWS_ERR_BACKBONE_REFUSED');
    expect(error.message).toContain('ferrows.forbidden');
    await there.ask('flush');
    await here.publish('forbidden', 'not received');
    await here.publish('allowed', 'carried');
    await client.until('carried');
    expect(client.messages).toEqual(['carried']);
    const stranger = await startServer({ url, prefix: 'strangers.' }, { connected: false });
    const refused = await stranger.until((event) => event.error !== undefined);
    expect(refused.error.message).toContain('strangers.');
    for (const server of [here, there, stranger]) expectNoSecrets(server);
  });
});

/** What was published is kept for the user 'limited'. */
async function expectHistory(engine) {
  const url = withCredentials(engine.url, 'limited', PASSWORD);
  const server = await startServer({ url, history: true });
  const witness = await server.client('room');
  await server.ask('flush');
  const since = await server.ask('position', { topic: 'room' });
  await server.publish('room', 'kept');
  await server.ask('flush');
  await witness.until('kept');
  const client = await server.recover('room', since);
  await client.until('kept');
  expect(server.events.filter((event) => event.error !== undefined)).toEqual([]);
}

/** Of the user 'limited'. */
function permissions(publish, subscribe) {
  const user = { user: 'limited', password: PASSWORD, permissions: { publish, subscribe } };
  return JSON.stringify({ authorization: { users: [user] } });
}

/** It is dropped and announced; what comes before and after it arrives. */
async function expectTooLarge(engine, length, code) {
  const [here, there] = [await startServer(engine.url), await startServer(engine.url)];
  const client = await there.client('room', 'else');
  await there.ask('flush');
  await here.publish('room', 'before');
  await here.ask('publishBytes', { topic: 'room', length });
  await here.publish('room', 'after');
  await here.publish('else', 'else');
  await client.until('else');
  await client.until('after');
  const { address, error } = await here.until(isType('error'));
  expect({ address, code: error.code }).toEqual({ address: engine.url, code });
  expect(error.message).toContain(engine.url);
  expect(await here.until(isType('dropped'))).toEqual({
    type: 'dropped',
    messages: 1,
    bytes: length
  });
  await there.until((event) => event.type === 'gap' && event.topic === 'room');
  expect(client.messages).toEqual(['before', 'after', 'else']);
}
