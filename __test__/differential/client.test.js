// The client's half of the handshake, beside ws's.

'use strict';

const fs = require('fs');
const http = require('http');
const https = require('https');
const net = require('net');
const os = require('os');
const path = require('path');
const { once } = require('events');

const { libraries } = require('../support/libraries');
const { make } = require('../support/certificate');
const { answeringServer, switching } = require('../support/peers');
const { frame } = require('../support/raw-peer');

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Declares a test whose script traces the same with both libraries. */
function same(title, script) {
  test(title, async () => {
    const traces = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const trace = [];
      await script(WebSocket, trace);
      traces[name] = trace;
    }
    expect(traces.ws).not.toHaveLength(0);
    expect(traces.ferrows).toEqual(traces.ws);
  });
}

// Ports differ between the two runs, keys between all.
const anonymous = (text) =>
  String(text)
    .replace(/:\d{4,5}\b/g, ':PORT')
    .replace(/[Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey: \S+/g, 'key')
    .replace(/\/[^ ]*ferrows-client-\w+/g, '/DIR');

/** Notes all events of a client, and when the code after its creation runs. */
function watch(websocket, trace) {
  const note = (event, ...details) => {
    trace.push(anonymous([event, `rs ${websocket.readyState}`, ...details].join(' | ')));
  };
  websocket.on('open', () => note('open', websocket.protocol, websocket.url));
  websocket.on('message', (data, isBinary) => note('message', data, isBinary));
  websocket.on('error', (error) => note('error', error.name, error.code, error.message));
  websocket.on('close', (code, reason) => note('close', code, reason));
  websocket.on('upgrade', (response) => note('upgrade', response.statusCode));
  process.nextTick(() => note('next tick'));
  return note;
}

const over = (websocket) => new Promise((resolve) => websocket.on('close', resolve));

describe('addresses', () => {
  const ends = [
    'nonsense',
    '/relative',
    '',
    'ftp://localhost',
    'wss+unix:/tmp/x',
    'ws+unix:',
    'ws://localhost/#fragment',
    'http://localhost#x',
    'ws://[::1',
    null
  ];
  same('that are refused', (WebSocket, trace) => {
    for (const address of ends.slice(0, -1)) {
      try {
        new WebSocket(address);
      } catch (error) {
        trace.push([address, error.name, error.message]);
      }
    }
    for (const protocols of [null, '', 'a,b', ['a', 'a'], [1], 'a b', 5]) {
      try {
        new WebSocket('ws://localhost', protocols);
      } catch (error) {
        trace.push([protocols, error.name, error.message]);
      }
    }
    for (const options of [
      { protocolVersion: 12 },
      { protocolVersion: '13' },
      { headers: { 'bad name': 'x' } },
      { headers: { name: 'bad\nvalue' } },
      { agent: {} },
      { agent: new https.Agent() }
    ]) {
      try {
        new WebSocket('ws://localhost', options);
      } catch (error) {
        trace.push([Object.keys(options), error.name, error.code, error.message]);
      }
    }
  });
});

describe('requests', () => {
  const table = {
    plain: ['/', undefined, {}],
    'a query and a trailing #': ['/path?a=b&c#', undefined, {}],
    'no path': ['?x', undefined, {}],
    subprotocols: ['/', ['a', 'b'], {}],
    'the protocols option': ['/', undefined, { protocols: ['x', 'y'] }],
    'an empty list and the protocols option': ['/', [], { protocols: ['x'] }],
    'the protocols option as text': ['/', undefined, { protocols: 'x' }],
    'a Set as options': ['/', new Set(), undefined],
    'an origin': ['/', 'a', { origin: 'http://example.com' }],
    'version 8': ['/', 'a', { origin: 'http://example.com', protocolVersion: 8 }],
    'headers of the user': [
      '/',
      undefined,
      { headers: { 'X-One': '1', upgrade: 'mine', Host: 'example.com', cookie: ['a=1', 'b=2'] } }
    ],
    auth: ['/', undefined, { auth: 'user:pass' }],
    'auth and a header': ['/', undefined, { auth: 'user:pass', headers: { authorization: 'x' } }],
    'options that are overwritten': [
      '/right',
      undefined,
      { host: 'wrong', hostname: 'wrong', port: 1, path: '/wrong', method: 'POST', timeout: 1 }
    ]
  };
  for (const [title, [target, protocols, options]] of Object.entries(table)) {
    same(title, async (WebSocket, trace) => {
      const server = await answeringServer(({ head }) => {
        trace.push(anonymous(head));
        return 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n';
      });
      const websocket = new WebSocket(server.url + target, protocols, { ...options });
      watch(websocket, trace);
      await over(websocket);
      await server.close();
    });
  }

  same('userinfo', async (WebSocket, trace) => {
    const server = await answeringServer(({ head }) => {
      trace.push(anonymous(head));
      return 'HTTP/1.1 400 Bad Request\r\n\r\n';
    });
    const url = new URL(server.url.replace('ws:', 'http:'));
    url.username = 'u%40x';
    url.password = 'p w';
    const websocket = new WebSocket(url, { auth: 'other' });
    trace.push(anonymous(websocket.url), url.protocol, websocket._req !== null);
    watch(websocket, trace);
    await over(websocket);
    trace.push(websocket._req === null);
    await server.close();
  });

  same('finishRequest, an agent, createConnection, lookup', async (WebSocket, trace) => {
    const server = await answeringServer(({ accept }) => switching(accept));
    const agent = new http.Agent();
    agent.addRequest = (request, options) => {
      trace.push(`agent ${options.path} ${options.port === server.port}`);
      request.onSocket(net.connect(server.port, '127.0.0.1'));
    };
    for (const options of [
      {
        finishRequest: (request, websocket) => {
          trace.push(`finish ${websocket._req === request} ${websocket.readyState}`);
          request.setHeader('X-Late', '1');
          request.end();
        }
      },
      { agent, createConnection: () => trace.push('not called') },
      {
        createConnection: (options) => {
          trace.push(`connect ${options.host} ${typeof options.port} ${options.path}`);
          return net.connect(options.port, '127.0.0.1');
        }
      },
      {
        createConnection: (options, callback) => {
          const socket = net.connect(options.port, '127.0.0.1', () => callback(null, socket));
        }
      },
      { localAddress: '127.0.0.1', family: 4 }
    ]) {
      const websocket = new WebSocket(server.url, { ...options });
      watch(websocket, trace);
      await once(websocket, 'open');
      websocket.terminate();
      await over(websocket);
    }
    const named = new WebSocket(`ws://some.name:${server.port}`, {
      lookup: (host, options, callback) => {
        trace.push(`lookup ${host}`);
        const address = '127.0.0.1';
        if (options.all) callback(null, [{ address, family: 4 }]);
        else callback(null, address, 4);
      }
    });
    await once(named, 'open');
    named.terminate();
    await over(named);
    await server.close();
  });

  same('Unix sockets', async (WebSocket, trace) => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-client-'));
    const file = path.join(directory, 'socket');
    const server = http.createServer();
    const wss = new libraries.ws.Server({ server });
    wss.on('connection', (websocket, request) => {
      trace.push(request.url, request.headers.host);
      websocket.close();
    });
    server.listen(file);
    await once(server, 'listening');
    for (const url of [
      `ws+unix:${file}`,
      `ws+unix://${file}:/path?x:y`,
      `ws+unix:${file}:`,
      `ws+unix:${file}x:/`
    ]) {
      const websocket = new WebSocket(url);
      watch(websocket, trace);
      await over(websocket);
    }
    await new Promise((resolve) => server.close(resolve));
    fs.rmSync(directory, { recursive: true });
  });
});

describe('responses', () => {
  const good = ({ accept }, ...lines) => switching(accept, ...lines);
  const table = {
    'a good one': [good],
    'a message in the same packet': [
      (request) => Buffer.concat([Buffer.from(good(request)), frame(0x81, 'hi', { mask: false })])
    ],
    'many frames in the same packet': [
      (request) =>
        Buffer.concat([
          Buffer.from(good(request)),
          ...[
            frame(0x81, 'text', { mask: false }),
            frame(0x82, Buffer.alloc(300, 'x'), { mask: false }),
            frame(0x89, 'ping', { mask: false }),
            frame(0x81, 'last', { mask: false }).subarray(0, 4)
          ]
        ])
    ],
    'text that is not UTF-8 in the same packet': [
      (request) =>
        Buffer.concat([
          Buffer.from(good(request)),
          frame(0x81, 'good', { mask: false }),
          frame(0x81, Buffer.from([0xff]), { mask: false })
        ])
    ],
    'the subprotocol': [(request) => good(request, 'Sec-WebSocket-Protocol: b'), ['a', 'b']],
    'a wrong accept': [() => switching('wrong')],
    'no accept': [(request) => good(request).replace(/Sec-WebSocket-Accept.*\r\n/, '')],
    'a wrong upgrade': [(request) => good(request).replace('Upgrade: websocket', 'Upgrade: foo')],
    'no upgrade header': [(request) => good(request).replace('Upgrade: websocket\r\n', '')],
    'a subprotocol unasked': [(request) => good(request, 'Sec-WebSocket-Protocol: b')],
    'another subprotocol': [(request) => good(request, 'Sec-WebSocket-Protocol: c'), ['a']],
    'no subprotocol': [good, ['a']],
    'an extension unasked': [(request) => good(request, 'Sec-WebSocket-Extensions: foo')],
    'another status': [() => 'HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n'],
    'a redirect that is not followed': [() => 'HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n'],
    garbage: [() => 'garbage\r\n\r\n'],
    'no HTTP at all': [() => '\u0000\u0001\u0002'],
    'headers without an end': [() => `HTTP/1.1 101 X\r\n${'a: b\r\n'.repeat(20000)}`],
    'an end in the middle': [({ socket }) => (socket.end('HTTP/1.1 101 Sw'), null)],
    'a reset': [({ socket }) => (socket.resetAndDestroy(), null)],
    'frames that are masked': [
      (request) => Buffer.concat([Buffer.from(good(request)), frame(0x81, 'hi')])
    ],
    'garbage after the response': [(request) => `${good(request)}garbage`]
  };
  for (const [title, [answer, protocols]] of Object.entries(table)) {
    same(title, async (WebSocket, trace) => {
      const server = await answeringServer(answer);
      const websocket = new WebSocket(server.url, protocols);
      watch(websocket, trace);
      websocket.on('open', () => {
        process.nextTick(() => trace.push('tick after open'));
        setTimeout(() => websocket.terminate(), 20);
      });
      await over(websocket);
      trace.push(websocket._req === null, websocket.bufferedAmount);
      await server.close();
    });
  }

  same('silence', async (WebSocket, trace) => {
    const server = await answeringServer(() => null);
    const options = { handshakeTimeout: 30 };
    const websocket = new WebSocket(server.url, options);
    watch(websocket, trace);
    await over(websocket);
    await server.close();
  });

  same("an 'unexpected-response' listener takes over", async (WebSocket, trace) => {
    const server = await answeringServer(() => 'HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno');
    const websocket = new WebSocket(server.url);
    const note = watch(websocket, trace);
    const [request, response] = await once(websocket, 'unexpected-response');
    note('unexpected', response.statusCode, request === websocket._req);
    response.resume();
    await sleep(20);
    note('later');
    websocket.close(9999);
    note('closed');
    await over(websocket);
    await server.close();
  });
});

describe('giving up', () => {
  for (const method of ['close', 'terminate']) {
    same(`${method}() while connecting`, async (WebSocket, trace) => {
      const server = await answeringServer(() => null);
      const websocket = new WebSocket(server.url);
      const { _req: request } = websocket;
      request.on('abort', () => trace.push('abort'));
      const note = watch(websocket, trace);
      websocket[method](1234567);
      note('called');
      websocket[method]();
      for (const call of ['send', 'ping', 'pong']) {
        try {
          websocket[call]('x');
        } catch (error) {
          trace.push(error.message);
        }
      }
      await over(websocket);
      trace.push(request.aborted, request.destroyed);
      await server.close();
    });

    same(`${method}() in the upgrade event`, async (WebSocket, trace) => {
      const server = await answeringServer(({ accept }) => switching(accept));
      const websocket = new WebSocket(server.url);
      watch(websocket, trace);
      websocket.on('upgrade', () => websocket[method]());
      await over(websocket);
      await server.close();
    });
  }

  same('an AbortSignal before and after the opening', async (WebSocket, trace) => {
    const server = await answeringServer(({ accept }) => switching(accept));
    for (const opened of [false, true]) {
      const controller = new AbortController();
      const websocket = new WebSocket(server.url, {
        signal: controller.signal
      });
      watch(websocket, trace);
      if (opened) await once(websocket, 'open');
      controller.abort();
      await Promise.race([over(websocket), sleep(50)]);
      trace.push(websocket.readyState);
      const closed = websocket.readyState === 3 ? null : over(websocket);
      websocket.terminate();
      await closed;
    }
    await server.close();
  });

  same('nobody listens there', async (WebSocket, trace) => {
    const server = await answeringServer(() => null);
    await server.close();
    const websocket = new WebSocket(server.url);
    watch(websocket, trace);
    await over(websocket);
  });
});

describe('redirects', () => {
  const credentials = make();
  const secret = {
    headers: { Authorization: 'mine', Cookie: 'c=1', Host: 'example.com', 'X-Own': '1' }
  };
  const options = { followRedirects: true, ca: credentials.cert };

  /** Two http servers and an https one; paths tell where to go next. */
  async function world(trace) {
    const servers = {
      a: http.createServer(),
      b: http.createServer(),
      tls: https.createServer(credentials)
    };
    const address = {};
    for (const [name, server] of Object.entries(servers)) {
      const answer = (request, socket) => {
        const { authorization, cookie, host, 'x-own': own } = request.headers;
        trace.push(anonymous([name, request.url, authorization, cookie, host, own].join(' | ')));
        const [, next, ...rest] = request.url.split('/');
        if (next === 'end') {
          socket.end('HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n');
          return;
        }
        const [where, user] = next.split('@').reverse();
        const base = address[where] || where;
        const to = user ? base.replace('//', `//${user}@`) : base;
        socket.end(`HTTP/1.1 302 Found\r\nLocation: ${to}/${rest.join('/')}\r\n\r\n`);
      };
      server.on('upgrade', answer);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address();
      address[name] = name === 'tls' ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;
    }
    const close = () =>
      Promise.all(Object.values(servers).map((server) => new Promise((r) => server.close(r))));
    return { address, close };
  }

  const journeys = {
    'to the same host': ['a', '/a/end', secret],
    'to another host': ['a', '/b/end', secret],
    'away and back': ['a', '/b/a/end', secret],
    'to TLS and back': ['tls', '/tls/a/end', { ...secret, family: 4 }],
    'with userinfo on the way': ['a', '/x:y@a/x:y@b/end', {}],
    'with auth': ['a', '/a/b/a/end', { auth: 'user:pass' }],
    'with auth and userinfo on the way': ['a', '/x:y@a/end', { auth: 'user:pass' }],
    'too many': ['a', '/a/a/a/end', { maxRedirects: 2 }],
    'in a loop': ['a', '/a'.repeat(12), {}],
    'to nonsense': ['a', '/http:%2F%2F[/end', {}],
    'to another scheme': ['a', '/ftp:%2F%2Fx/end', {}]
  };
  for (const [title, [from, target, more]] of Object.entries(journeys)) {
    for (const listens of [false, true]) {
      same(`${title}${listens ? ', with a listener' : ''}`, async (WebSocket, trace) => {
        const { address, close } = await world(trace);
        const given = { ...options, ...more };
        const websocket = new WebSocket(address[from] + target, given);
        const note = watch(websocket, trace);
        if (listens) {
          websocket.on('redirect', (url, request) => {
            note('redirect', url, request === websocket._req, request.getHeader('authorization'));
          });
        }
        await over(websocket);
        trace.push(websocket._redirects, anonymous(websocket.url), JSON.stringify(more));
        await close();
      });
    }
  }

  for (const method of ['close', 'terminate']) {
    same(`${method}() in the redirect event`, async (WebSocket, trace) => {
      const { address, close } = await world(trace);
      const websocket = new WebSocket(`${address.a}/a/a/end`, options);
      watch(websocket, trace);
      websocket.on('redirect', () => websocket[method]());
      await over(websocket);
      await close();
    });
  }

  same('abort() of the request in the redirect event', async (WebSocket, trace) => {
    const { address, close } = await world(trace);
    const websocket = new WebSocket(`${address.a}/a/a/end`, options);
    watch(websocket, trace);
    websocket.on('redirect', (url, request) => request.abort());
    await Promise.race([over(websocket), sleep(50)]);
    trace.push(websocket.readyState);
    websocket.terminate();
    await close();
  });
});
