'use strict';

const { once } = require('events');

const WebSocket = require('../..');
const { ROOT, run } = require('../support/children');
const { freePort } = require('../support/ports');

/** A server here, for programs that are clients. */
async function withServer(body) {
  const wss = new WebSocket.Server({ port: 0 });
  await once(wss, 'listening');
  try {
    await body(wss, `ws://127.0.0.1:${wss.address().port}`);
  } finally {
    for (const client of wss.clients) client.terminate();
    await new Promise((resolve) => wss.close(resolve));
  }
}

const echo = `
  const wss = new WebSocket.Server({ port: 0 }, () => {
    const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    client.on('open', () => client.send('x'));
    client.on('message', (data) => {
      console.log('echo ' + data);
      client.close();
      wss.close();
    });
  });`;

test('a process ends by itself when its server and connections are closed', async () => {
  expect(await run(echo).ended).toMatchObject({ code: 0, out: 'echo x\n', err: '' });
});

test('an open connection keeps the process alive, an unreferenced one does not', async () => {
  await withServer(async (wss, url) => {
    const kept = run(`const ws = new WebSocket(process.argv[1]); ws.on('open', () => {});`, [url]);
    const [websocket] = await once(wss, 'connection');
    websocket.send('hold on');
    expect(kept.child.exitCode).toBe(null);
    websocket.close();
    expect((await kept.ended).code).toBe(0);

    const script = `const ws = new WebSocket(process.argv[1]);
      ws.on('open', () => ws._socket.unref());`;
    expect(await run(script, [url]).ended).toMatchObject({ code: 0, err: '' });
  });
});

test('what was sent before process.exit() arrives', async () => {
  await withServer(async (wss, url) => {
    const script = `const ws = new WebSocket(process.argv[1]);
      ws.on('open', () => {
        for (let i = 0; i < 1000; i++) ws.send(String(i));
        process.exit(7);
      });`;
    const { ended } = run(script, [url]);
    const [websocket] = await once(wss, 'connection');
    const got = [];
    websocket.on('message', (data) => got.push(Number(data)));
    await once(websocket, 'close');
    expect(got).toEqual(Array.from({ length: 1000 }, (_, index) => index));
    expect((await ended).code).toBe(7);
  });
});

test('a SIGTERM handler can say good-bye', async () => {
  await withServer(async (wss, url) => {
    const script = `const ws = new WebSocket(process.argv[1]);
      process.on('SIGTERM', () => { ws.send('bye'); process.exit(); });
      ws.on('open', () => ws.send('ready'));`;
    const { child, ended } = run(script, [url]);
    const [websocket] = await once(wss, 'connection');
    const got = [];
    websocket.on('message', (data) => {
      got.push(String(data));
      if (got.length === 1) child.kill('SIGTERM');
    });
    await once(websocket, 'close');
    expect(got).toEqual(['ready', 'bye']);
    expect((await ended).code).toBe(0);
  });
});

test('SIGTERM without a handler ends the process', async () => {
  await withServer(async (wss, url) => {
    const { child, ended } = run(`new WebSocket(process.argv[1]);`, [url]);
    await once(wss, 'connection');
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: null, signal: 'SIGTERM' });
  });
});

test('a handler that sends and then blocks does not hold back what it sent', async () => {
  await withServer(async (wss, url) => {
    // The program goes on only when this process has seen the message and says so by a file.
    const script = `const fs = require('fs');
      const ws = new WebSocket(process.argv[1]);
      ws.on('message', () => {
        ws.send('one');
        ws.send('two');
        const end = Date.now() + 30000;
        while (!fs.existsSync(process.argv[2]) && Date.now() < end);
        console.log(fs.existsSync(process.argv[2]));
        process.exit();
      });`;
    const fs = require('fs');
    const flag = require('path').join(fs.mkdtempSync(`${require('os').tmpdir()}/ferrows-`), 'seen');
    const { ended } = run(script, [url, flag]);
    const [websocket] = await once(wss, 'connection');
    const got = [];
    const both = new Promise((resolve) => {
      websocket.on('message', (data) => got.push(String(data)) === 2 && resolve());
    });
    websocket.send('go');
    await both;
    fs.writeFileSync(flag, '');
    expect((await ended).out).toBe('true\n');
    expect(got).toEqual(['one', 'two']);
  });
});

test('a blocked thread loses nothing and its memory stays bounded', async () => {
  const script = `
    const MESSAGES = 10000, SIZE = 16384;
    const wss = new WebSocket.Server({ port: 0 }, () => console.log(wss.address().port));
    wss.on('connection', (ws) => {
      let next = 0;
      const before = process.memoryUsage().rss;
      const end = Date.now() + 1500;
      while (Date.now() < end);
      const grown = process.memoryUsage().rss - before;
      ws.on('message', (data) => {
        if (data.readUInt32BE(0) !== next++) throw new Error('out of order');
        if (next === MESSAGES) {
          console.log(grown < 100 * 1048576 ? 'bounded' : 'grown by ' + grown);
          process.exit();
        }
      });
    });`;
  const { child, ended } = run(script);
  const [port] = await once(child.stdout, 'data');
  const client = new WebSocket(`ws://127.0.0.1:${Number(port)}`);
  await once(client, 'open');
  for (let i = 0; i < 10000; i++) {
    const data = Buffer.alloc(16384);
    data.writeUInt32BE(i, 0);
    client.send(data);
  }
  const { out, err } = await ended;
  expect(err).toBe('');
  expect(out).toContain('bounded');
});

test('a listener that throws costs nobody else a message', async () => {
  const script = `
    const seen = [];
    process.on('uncaughtException', (error, origin) => seen.push(error.message + ' ' + origin));
    const wss = new WebSocket.Server({ port: 0 }, () => {
      wss.on('connection', (ws, { url }) => ws.on('message', (data) => {
        seen.push(url + data);
        if (String(data) === 'boom') throw new Error('boom ' + url);
        if (seen.filter((text) => text.endsWith('last')).length === 3) {
          console.log(seen.sort().join(' '));
          process.exit();
        }
      }));
      const clients = [0, 1, 2].map((i) => new WebSocket('ws://127.0.0.1:' + wss.address().port + '/' + i));
      let open = 0;
      for (const client of clients) client.on('open', () => {
        if (++open < 3) return;
        for (const c of clients) c.send('a');
        clients[1].send('boom');
        for (const c of clients) c.send('last');
      });
    });`;
  const { out } = await run(script).ended;
  expect(out.trim()).toBe('/0a /0last /1a /1boom /1last /2a /2last boom /1 uncaughtException');
});

test('a listener that throws ends a process without a handler', async () => {
  const script = `
    const wss = new WebSocket.Server({ port: 0 }, () => {
      wss.on('connection', (ws) => ws.on('message', () => { throw new TypeError('nobody listens'); }));
      const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
      client.on('open', () => client.send('x'));
    });`;
  const { code, err } = await run(script).ended;
  expect(code).toBe(1);
  expect(err).toContain('TypeError: nobody listens');
});

test('a reset of the module registry gives a second, working instance', async () => {
  const script = `
    for (const file of Object.keys(require.cache)) {
      if (!file.endsWith('.node')) delete require.cache[file];
    }
    const Second = require(${JSON.stringify(ROOT)});
    if (Second === WebSocket) throw new Error('the same instance');
    const wss = new WebSocket.Server({ port: 0 }, () => {
      const client = new Second('ws://127.0.0.1:' + wss.address().port);
      wss.on('connection', (ws) => ws.send('hi'));
      client.on('message', (data) => {
        console.log(String(data));
        client.close();
        wss.close();
      });
    });`;
  expect(await run(script).ended).toMatchObject({ code: 0, out: 'hi\n', err: '' });
});

// With collected garbage, in the process that prints it.
const RESETS = `
  const fs = require('fs');
  const { once } = require('events');
  const { createRequire } = require('module');
  const collect = require('vm').runInNewContext('gc');
  const entries = (folder) => (fs.existsSync(folder) ? fs.readdirSync(folder).length : 0);
  const forget = () => {
    for (const file of Object.keys(require.cache)) {
      if (!file.endsWith('.node')) delete require.cache[file];
    }
  };
  const use = async (name) => {
    forget();
    // A module that requires others keeps them; this one is forgotten, too.
    const WebSocket = createRequire(name)(name);
    const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' });
    wss.on('connection', (ws) => ws.on('message', (data) => ws.send(data)));
    await once(wss, 'listening');
    const client = new WebSocket('ws://127.0.0.1:' + wss.address().port);
    await once(client, 'open');
    client.send('x');
    await once(client, 'message');
    client.close();
    await once(client, 'close');
    await new Promise((resolve) => wss.close(resolve));
  };
  const held = async () => {
    for (let round = 0; round < 20; round++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { external, heapUsed, rss } = process.memoryUsage();
    const [fds, threads] = ['/proc/self/fd', '/proc/self/task'].map(entries);
    return { external, fds, heapUsed, rss, threads };
  };
  (async () => {
    for (let count = 0; count < 10; count++) await use(process.argv[1]);
    const before = await held();
    for (let count = 0; count < 300; count++) await use(process.argv[1]);
    forget();
    console.log(JSON.stringify({ before, after: await held() }));
  })();`;

// Each compiles a library 300 times.
const RESETS_LIMIT = 280000;

test(
  '300 resets of the module registry end where those of ws end',
  async () => {
    const script = `require('v8').setFlagsFromString('--expose-gc');${RESETS}`;
    const results = await Promise.all(
      [ROOT, require.resolve('ws')].map(async (name) => {
        const { code, out, err } = await run(script, [name], {}, RESETS_LIMIT).ended;
        expect({ code, err }).toEqual({ code: 0, err: '' });
        return JSON.parse(out);
      })
    );
    const [ours, theirs] = results;
    // 300 of anything would be far above these.
    const MIB = 1 << 20;
    expect(ours.after.fds - ours.before.fds).toBeLessThan(20);
    expect(ours.after.threads - ours.before.threads).toBeLessThan(20);
    expect(ours.after.external - theirs.after.external).toBeLessThan(16 * MIB);
    expect(ours.after.heapUsed - theirs.after.heapUsed).toBeLessThan(8 * MIB);
    expect(ours.after.rss - theirs.after.rss).toBeLessThan(150 * MIB);
  },
  RESETS_LIMIT + 20000
);

test('100 worker threads come and go, each with a server and a client', async () => {
  const script = `
    const { Worker } = require('worker_threads');
    const body = ${JSON.stringify(`const WebSocket = require(${JSON.stringify(ROOT)});${echo}`)};
    const one = () => new Promise((resolve, reject) => {
      const worker = new Worker(body, { eval: true, stdout: true });
      worker.on('error', reject);
      worker.on('exit', resolve);
    });
    (async () => {
      let ended = 0;
      for (let round = 0; round < 20; round++) {
        const codes = await Promise.all([one(), one(), one(), one(), one()]);
        ended += codes.filter((code) => code === 0).length;
      }
      console.log(ended);
    })();`;
  expect(await run(script).ended).toMatchObject({ code: 0, out: '100\n', err: '' });
});

test('a terminated worker thread frees its port and its connections', async () => {
  const script = `
    const { Worker } = require('worker_threads');
    const body = ${JSON.stringify(`
      const WebSocket = require(${JSON.stringify(ROOT)});
      const { parentPort } = require('worker_threads');
      const wss = new WebSocket.Server({ port: ${await freePort()} }, () =>
        parentPort.postMessage(wss.address().port));`)};
    const worker = new Worker(body, { eval: true });
    worker.on('message', (port) => {
      const client = new WebSocket('ws://127.0.0.1:' + port);
      client.on('open', () => worker.terminate());
      client.on('close', (code) => {
        const again = new WebSocket.Server({ port }, () => {
          console.log(code);
          again.close();
        });
      });
    });`;
  expect(await run(script).ended).toMatchObject({ code: 0, out: '1006\n', err: '' });
});

test('clients of bad servers leave nothing that keeps the process alive', async () => {
  const script = `
    const net = require('net');
    const answers = [
      'garbage\\r\\n\\r\\n',
      'HTTP/1.1 101 X\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Accept: no\\r\\n\\r\\n',
      'HTTP/1.1 302 Found\\r\\nLocation: /\\r\\n\\r\\n',
      'HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nand no more',
      ''
    ];
    let left = answers.length;
    for (const answer of answers) {
      const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.write(answer));
      });
      server.listen(0, () => {
        const client = new WebSocket('ws://127.0.0.1:' + server.address().port, {
          followRedirects: true,
          handshakeTimeout: 200,
          perMessageDeflate: false
        });
        client.on('error', (error) => console.log(error.message));
        client.on('close', (code) => {
          if (code !== 1006) console.log(code);
          server.close();
        });
      });
    }`;
  const { code, err, out } = await run(script).ended;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  // Node's parser words its error differently from version to version.
  expect(
    out
      .replace(/Parse Error.*/, 'Parse Error')
      .trim()
      .split('\n')
      .sort()
  ).toEqual([
    'Invalid Sec-WebSocket-Accept header',
    'Maximum redirects exceeded',
    'Opening handshake has timed out',
    'Parse Error',
    'Unexpected server response: 200'
  ]);
});
