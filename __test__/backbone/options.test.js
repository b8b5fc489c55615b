// The option `backbone`: what it may be, and what is said of anything else.

'use strict';

const { WebSocketServer } = require('../..');
const { readBackbone } = require('../../lib/backbone/options');
const { run } = require('../support/children');

const make = (backbone, rest) => new WebSocketServer({ noServer: true, backbone, ...rest });

test.each([
  ['redis://h', { engine: 'redis', hosts: ['h'], ports: [6379], tls: false, database: 0 }],
  ['redis://h:1/3', { ports: [1], database: 3, shown: ['redis://h:1'] }],
  ['valkey://h', { engine: 'redis', ports: [6379], prefix: 'ferrows:' }],
  ['rediss://u:p%40@[::1]', { hosts: ['::1'], username: 'u', password: 'p@', tls: true }],
  ['nats://h', { engine: 'nats', ports: [4222], prefix: 'ferrows.' }],
  ['nats://t0ken@h', { token: 't0ken' }],
  ['tls://h', { engine: 'nats', tls: true }],
  [new URL('nats://u:p@h'), { username: 'u', password: 'p' }],
  [['nats://a', 'nats://b:1'], { hosts: ['a', 'b'], ports: [4222, 1] }],
  [
    { url: 'redis://h', tls: true },
    { tls: true, shown: ['redis://h:6379'] }
  ],
  [
    { url: 'redis://h', tls: { ca: 'A', servername: 's' } },
    { ca: 'A', servername: 's' }
  ],
  [{ url: 'redis://h', tls: { ca: [Buffer.from('A'), 'B'] } }, { ca: 'A\nB' }],
  [
    { url: 'redis://u:p@h', credentials: { password: 'q' } },
    { username: undefined, password: 'q' }
  ],
  [
    { url: 'redis://h', maxQueue: 9, onOverflow: 'drop-newest' },
    { maxQueue: 9, dropOldest: false }
  ],
  [
    { url: 'nats://h', prefix: 'a.b.', timeout: 7 },
    { prefix: 'a.b.', timeout: 7 }
  ],
  [{ url: 'redis://h', history: false }, { historySize: undefined }],
  [
    { url: 'redis://h', history: true },
    { historySize: 100, historyTtl: 300000 }
  ],
  [
    { url: 'nats://h', prefix: '', history: { size: 7 } },
    { historySize: 7, historyTtl: 300000 }
  ]
])('%p is read', (given, expected) => {
  expect(readBackbone(given)).toMatchObject(expected);
});

test.each([
  [7, TypeError],
  [{}, TypeError],
  ['redis', TypeError],
  ['http://secret@h', TypeError],
  ['redis://', TypeError],
  ['redis://h/x', TypeError],
  ['nats://h/1', TypeError],
  ['redis://h?password=secret', TypeError],
  ['redis://h:secret', TypeError],
  [[], TypeError],
  [['redis://a', 'nats://b'], TypeError],
  [['redis://a', 'rediss://b'], TypeError],
  [{ url: 'redis://h', nonsense: 1 }, TypeError],
  [{ url: 'rediss://h', tls: false }, TypeError],
  [{ url: 'redis://h', tls: { cert: 'secret' } }, TypeError],
  [{ url: 'redis://h', tls: { key: { secret: 1 }, cert: 'x' } }, TypeError],
  [{ url: 'nats://h', tls: { servername: 'x' } }, TypeError],
  [{ url: 'redis://h', credentials: { token: 'secret' } }, TypeError],
  [{ url: 'redis://h', credentials: { password: ['secret'] } }, TypeError],
  [{ url: 'redis://h', prefix: 'a b' }, TypeError],
  [{ url: 'nats://h', prefix: 'a*' }, TypeError],
  [{ url: 'nats://h', prefix: '$SYS.' }, TypeError],
  [{ url: 'nats://h', prefix: 'a..' }, TypeError],
  [{ url: 'redis://h', prefix: 'x'.repeat(257) }, TypeError],
  [{ url: 'redis://h', maxQueue: 0 }, RangeError],
  [{ url: 'redis://h', timeout: 1.5 }, RangeError],
  [{ url: 'redis://h', onOverflow: 'block' }, TypeError],
  [{ url: 'redis://h', history: 5 }, TypeError],
  [{ url: 'redis://h', history: { length: 5 } }, TypeError],
  [{ url: 'redis://h', history: { size: 0 } }, RangeError],
  [{ url: 'redis://h', history: { ttl: 999 } }, RangeError],
  [{ url: 'nats://h', prefix: 'a', history: true }, TypeError]
])('%p is refused, and no secret is shown', (backbone, Class) => {
  let thrown = null;
  try {
    make(backbone);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Class);
  expect(thrown.code).toMatch(/^ERR_(INVALID_ARG_VALUE|INVALID_ARG_TYPE|OUT_OF_RANGE)$/);
  expect(thrown.message).toContain('"backbone');
  expect(thrown.message).not.toContain('secret');
});

test('servers that share topics share the backbone, and agree on it', () => {
  // Nobody listens there.
  const backbone = { url: 'redis://127.0.0.1:1' };
  const one = make(backbone, { hub: 'agreed' });
  const other = make({ ...backbone }, { hub: 'agreed' });
  for (const wss of [one, other]) wss.on('backbone', () => {});
  const code = 'ERR_INVALID_ARG_VALUE';
  expect(() => make('redis://127.0.0.1:2', { hub: 'agreed' })).toThrow(
    expect.objectContaining({ code })
  );
  one.close();
  other.close();
  const third = make('redis://127.0.0.1:2', { hub: 'agreed' });
  third.on('backbone', () => {});
  third.close();
});

test('names are shorter with a backbone', () => {
  const wss = make('redis://127.0.0.1:1');
  wss.on('backbone', () => {});
  const code = 'ERR_OUT_OF_RANGE';
  expect(wss.publish('\u20ac'.repeat(341), 'x')).toBe(0);
  expect(() => wss.publish('\u20ac'.repeat(342), 'x')).toThrow(expect.objectContaining({ code }));
  wss.close();
});

test('a flush without a backbone is nothing, one that is closed fails', async () => {
  await new WebSocketServer({ noServer: true }).flushBackbone();
  const wss = make('redis://127.0.0.1:1');
  wss.on('backbone', () => {});
  const flushed = wss.flushBackbone();
  wss.close();
  await expect(flushed).rejects.toMatchObject({ code: 'FERROWS_ERR_BACKBONE_CLOSED' });
});

// In a process of its own: whatever is left over keeps it from ending.
test('a server that cannot be made leaves nothing behind', async () => {
  const script = `
    const attempt = (options) => {
      try {
        const wss = new WebSocket.Server(options);
        wss.on('backbone', () => {});
        wss.close();
        return 'made';
      } catch (error) {
        return error.code;
      }
    };
    const backbone = 'redis://127.0.0.1:1';
    const first = new WebSocket.Server({ noServer: true, hub: 'agreed', backbone });
    first.on('backbone', () => {});
    // Others have the topics carried differently.
    const other = { hub: 'agreed', backbone: 'redis://127.0.0.1:2' };
    const different = attempt({ port: 0, host: '127.0.0.1', ...other });
    first.close();
    // It cannot listen.
    const unusable = attempt({ port: 65536, hub: 'free', backbone });
    const next = attempt({ noServer: true, ...other, hub: 'free' });
    console.log(different, unusable, next);`;
  const { code, out, err } = await run(script).ended;
  expect({ code, out }).toEqual({
    code: 0,
    out: 'ERR_INVALID_ARG_VALUE ERR_SOCKET_BAD_PORT made\n'
  });
  expect(err).toBe('');
});
