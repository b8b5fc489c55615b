// Who drives the I/O: the JavaScript thread, the workers, or both by turns.

'use strict';

const { ROOT, run } = require('../support/children');

const SETTINGS = ['inline', 'worker', 'auto'];
const BRIDGE = `require(${JSON.stringify(`${ROOT}/lib/bridge`)})`;

/** Runs a script under a setting of FERROWS_IO and expects it to print lines and no error. */
async function expectOutput(io, script, lines) {
  const { ended } = run(script, [], { FERROWS_IO: io });
  const { code, signal, out, err } = await ended;
  expect({ code, signal, out: out.trim().split('\n'), err }).toEqual({
    code: 0,
    signal: null,
    out: lines,
    err: ''
  });
}

/** Begins a script: a server, and `client()` that resolves with an open WebSocket. */
const SERVER = `
  const bridge = ${BRIDGE};
  const { once } = require('events');
  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
  const client = async (options) => {
    const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port, options);
    await once(ws, 'open');
    return ws;
  };
`;

test.each([
  ['inline', ['inline']],
  ['worker', ['worker']]
])('FERROWS_IO=%s: that one drives', (io, [driver]) =>
  expectOutput(
    io,
    `${SERVER}
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    wss.on('listening', async () => {
      const ws = await client();
      for (let i = 0; i < 100; i++) {
        ws.send('x');
        await once(ws, 'message');
      }
      console.log(new Set(bridge.drivers()).size, bridge.drivers()[0], bridge.handTo('worker'));
      ws.terminate();
      wss.close();
    });`,
    [`1 ${driver} false`]
  )
);

test('with one CPU the JavaScript thread drives for ever', async () => {
  if (process.platform !== 'linux') return;
  const { execFileSync } = require('child_process');
  const script = `const WebSocket = require(${JSON.stringify(ROOT)});
    const wss = new WebSocket.Server({ port: 0 }, () => {
      const bridge = ${BRIDGE};
      console.log(bridge.drivers().join(), bridge.handTo('worker'));
      wss.close();
    });`;
  const env = { ...process.env };
  delete env.FERROWS_IO;
  const cpu = execFileSync('sh', ['-c', 'taskset -cp $$'])
    .toString()
    .match(/(\d+)[^\d]*\d*\s*$/)[1];
  const out = execFileSync('taskset', ['-c', cpu, process.execPath, '-e', script], { env });
  expect(out.toString()).toBe('inline false\n');
});

test.each(SETTINGS)('FERROWS_IO=%s: what a tick sends goes in few calls', (io) =>
  expectOutput(
    io,
    `const binding = require(${JSON.stringify(`${ROOT}/lib/binding`)});
    let calls = 0;
    const { submit } = binding.Bridge.prototype;
    binding.Bridge.prototype.submit = function (lane) {
      calls++;
      return submit.call(this, lane);
    };
    ${SERVER}
    const many = (ws) => {
      calls = 0;
      for (let i = 0; i < 1000; i++) ws.send('message ' + i);
    };
    const senders = {
      handler: many,
      async async(ws) {
        await null;
        many(ws);
      },
      timer: (ws) => setTimeout(many, 1, ws),
      immediate: (ws) => setImmediate(many, ws)
    };
    wss.on('connection', (ws) => ws.on('message', (name) => senders[name](ws)));
    wss.on('listening', async () => {
      const ws = await client();
      for (const name of Object.keys(senders)) {
        ws.send(name);
        await new Promise((resolve) => {
          let i = 0;
          ws.removeAllListeners('message');
          ws.on('message', (data) => {
            if (String(data) !== 'message ' + i++) throw new Error(data);
            if (i === 1000) resolve();
          });
        });
        // The asking of the client is one, too; 1000 messages are 30 KB.
        console.log(name, calls <= 3 || calls);
      }
      ws.terminate();
      wss.close();
    });`,
    ['handler true', 'async true', 'timer true', 'immediate true']
  )
);

test('a thousand hand-overs a second lose, double and reorder nothing', () =>
  expectOutput(
    'auto',
    `${SERVER}
    const crypto = require('crypto');
    const CONNECTIONS = 20;
    const MESSAGES = 1500;
    let handOvers = 0;
    const toggling = setInterval(() => {
      bridge.handTo(handOvers++ % 2 ? 'inline' : 'worker');
    }, 1);
    let closes = 0;
    let connections = 0;
    wss.on('connection', (ws) => {
      connections++;
      ws.on('message', (data, binary) => ws.send(data, { binary }));
      ws.on('error', () => {});
      ws.on('close', () => closes++);
    });
    const exchange = async (seed) => {
      const ws = await client();
      const sent = [];
      let sends = 0;
      let pongs = 0;
      ws.on('pong', () => pongs++);
      const next = () => {
        while (sends < MESSAGES && sent.length < 8) {
          const length = (sends * 7919 * (seed + 1)) % (sends % 50 === 0 ? 300000 : 600);
          const data = crypto.randomBytes(length);
          sent.push(data);
          ws.send(data, { fin: true });
          if (sends++ % 10 === 0) ws.ping();
        }
      };
      ws.on('message', (data) => {
        const expected = sent.shift();
        if (expected === undefined || !data.equals(expected)) throw new Error('another message');
        next();
        if (sent.length === 0) ws.emit('complete');
      });
      next();
      await once(ws, 'complete');
      ws.close(4000 + seed);
      const [code] = await once(ws, 'close');
      if (code !== 4000 + seed || pongs !== MESSAGES / 10) throw new Error(code + ' ' + pongs);
    };
    // Others come and go meanwhile, half of them without a close frame.
    let stop = false;
    const churn = async () => {
      let count = 0;
      while (!stop) {
        const ws = await client();
        ws.send('hello');
        await once(ws, 'message');
        if (count++ % 2) ws.terminate();
        else ws.close();
        await once(ws, 'close');
      }
      return count;
    };
    wss.on('listening', async () => {
      const churning = [churn(), churn()];
      await Promise.all(Array.from({ length: CONNECTIONS }, (_, seed) => exchange(seed)));
      stop = true;
      const churned = (await Promise.all(churning)).reduce((sum, count) => sum + count);
      clearInterval(toggling);
      console.log('exchanged', handOvers > 50, churned > 10);
      wss.close(() => console.log('closed', connections - closes));
    });`,
    ['exchanged true true', 'closed 0']
  ));

test('process.exit(): listeners that send later send once, and in order', async () => {
  for (const io of SETTINGS) {
    await expectOutput(
      io,
      `const { fork, spawn } = require('child_process');
      ${SERVER}
      const child = \`
        const WebSocket = require(${JSON.stringify(ROOT)});
        process.on('exit', () => ws.send('first'));
        const ws = new WebSocket(process.argv[1]);
        ws.on('open', () => {
          process.on('exit', () => ws.send('second'));
          process.on('exit', () => ws.send(Buffer.alloc(100000, 3)));
          ws.send('before');
          process.exit();
        });\`;
      wss.on('connection', (ws) => {
        ws.on('message', (data) => console.log(data.length > 10 ? data.length : String(data)));
        ws.on('close', () => wss.close());
      });
      wss.on('listening', () => {
        const url = 'ws://127.0.0.1:' + wss.address().port;
        spawn(process.execPath, ['-e', child, '--', url], { stdio: 'inherit' });
      });`,
      ['before', 'first', 'second', '100000']
    );
  }
});

test.each(SETTINGS)('FERROWS_IO=%s: messages own their memory', (io) =>
  expectOutput(
    io,
    `${SERVER}
    const { MessageChannel } = require('worker_threads');
    const { port1, port2 } = new MessageChannel();
    const SIZES = [1, 16, 17, 64, 65, 1000, 4096, 4097, 32767, 32768, 70000, 1 << 20];
    wss.on('connection', (ws) => {
      for (const size of SIZES) ws.send(Buffer.alloc(size, size % 251));
      ws.close();
    });
    wss.on('listening', async () => {
      const got = [];
      const ws = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      ws.on('message', (data) => got.push(data));
      await once(ws, 'close');
      const intact = (data, index) =>
        data.length === SIZES[index] && data.every((byte) => byte === SIZES[index] % 251);
      for (let index = 0; index < got.length; index++) {
        const data = got[index];
        if (data.buffer.byteLength !== data.length) throw new Error('shares its memory');
        port1.postMessage(data, [data.buffer]);
        const [moved] = await once(port2, 'message');
        if (!intact(moved, index) || data.length !== 0) throw new Error('not moved');
        if (!got.slice(index + 1).every((other, at) => intact(other, index + 1 + at))) {
          throw new Error('another one is gone');
        }
      }
      console.log(got.length);
      port1.close();
      wss.close();
    });`,
    ['12']
  )
);
