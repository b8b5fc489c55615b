// What the native listener makes of requests, beside Node's HTTP server: many
// in process (scripts/compare-heads.js), some over sockets with their answers.

'use strict';

const http = require('http');
const net = require('net');
const path = require('path');
const { once } = require('events');
const { execFile, spawn } = require('child_process');

const binding = require('../../lib/binding');
const httpRules = require('../../lib/http-rules');
const { libraries, serve } = require('../support/libraries');
const { ROOT } = require('../support/children');
const { KEY, frame } = require('../support/raw-peer');

const DRIVER = path.join(ROOT, 'scripts', 'compare-heads.js');
const HEADS = 100000;
const LIMIT = http.maxHeaderSize;
const TEN_MINUTES = 600000;

// Node 18's parser takes line ends and blanks that newer ones refuse; it is not followed.
const LAX = httpRules().llhttpMajor < 9;
const LAX_REASON = ' (skipped: the parser of Node 18 takes more)';
const TAKEN_BEFORE = ['a path that is not ASCII', 'a blank before the colon', 'no name'];

// COMPAT: Node reads it before what follows the upgrade.
const READS_BODIES = parseInt(process.versions.node) >= 26;
const BODY = 'a body that is announced';

describe('in process', () => {
  (LAX ? test.skip : test)(
    `mutated requests in every chunking come to the same${LAX ? LAX_REASON : ''}`,
    async () => {
      const seed = 20261125;
      const args = [DRIVER, '--heads', String(HEADS), '--seed', String(seed)];
      const output = await new Promise((resolve) => {
        execFile(process.execPath, args, (error, stdout, stderr) => resolve(stdout + stderr));
      });
      const last = output.trim().split('\n').pop();
      if (!last.includes('"different":0')) throw new Error(output);
      const { heads, kinds } = JSON.parse(last);
      expect(heads).toBe(HEADS);
      // Otherwise the comparison would say little.
      for (const kind of ['100', '400', '417', '426', '431', 'upgrade', 'silence']) {
        expect([kind, kinds[kind] > 30]).toEqual([kind, true]);
      }
    },
    TEN_MINUTES
  );

  test.each([
    ['nothing', []],
    ['a part of a request', ['GET / HTT']],
    ['a part of its headers', ['GET / HTTP/1.1\r\nHost: a\r\n']],
    ['a part of the next request', ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1\r\n']]
  ])('a peer that sends %s in time', async (title, texts) => {
    const options = { headersTimeout: 1, requestTimeout: 1, connectionsCheckingInterval: 1 };
    const server = http.createServer({ ...options, keepAliveTimeout: TEN_MINUTES });
    server.on('request', (incoming, response) => response.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = net.connect(server.address().port, '127.0.0.1');
    let answers = '';
    socket.on('data', (data) => {
      answers += data;
      const text = texts[1];
      if (text !== undefined && !answers.includes(' 408 ')) socket.write(text);
    });
    if (texts.length > 0) socket.write(texts[0]);
    await once(socket, 'close');
    server.close();

    const chunks = texts.map((text) => Buffer.from(text));
    const { answers: ours } = binding.converse(chunks, httpRules(), 'now', 'timeout');
    expect(answers).toContain(' 408 ');
    expect(ours.pop().toString()).toBe(answers.slice(answers.lastIndexOf('HTTP/1.1 ')));
  });
});

/** Sends bytes and resolves with all that is answered, ending our side once `until` came. */
async function exchange(port, parts, until) {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const closed = new Promise((resolve) => socket.on('close', resolve));
  let text = '';
  let sent = 1;
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  socket.on('data', (data) => {
    text += data.toString('latin1');
    // A later part goes after the answer to the one before.
    if (sent < parts.length && text.split(until).length > sent) {
      socket.write(parts[sent++], 'latin1');
    } else if (until !== null && text.split(until).length > parts.length) {
      socket.end();
    }
  });
  await once(socket, 'connect');
  socket.write(parts[0], 'latin1');
  await closed;
  return text.replace(/^Date: .*\r\n/gm, '');
}

/**
 * Declares a test of what a server in port mode answers.
 *
 * @param {String} title
 * @param {(String|String[])} parts Each sent when the one before is answered
 * @param {?String} until What ends an answer after which the server waits; null if it closes
 */
function answers(title, parts, until = null) {
  let reason = LAX && TAKEN_BEFORE.includes(title) ? LAX_REASON : '';
  if (READS_BODIES && title === BODY) reason = ' (skipped: Node 26 reads the body first)';
  (reason === '' ? test : test.skip)(title + reason, async () => {
    const traces = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const trace = [];
      const { wss, port, close } = await serve(WebSocket, 'port', {
        verifyClient: ({ origin, req }) => {
          const { headers, method, rawHeaders, url } = req;
          trace.push([origin, method, url, req.httpVersion, rawHeaders, { ...headers }]);
          return !url.startsWith('/admin');
        }
      });
      wss.on('connection', (websocket) => {
        websocket.on('message', (data) => websocket.send(`echo ${data}`));
      });
      try {
        trace.push(await exchange(port, [].concat(parts), until));
      } finally {
        await close();
      }
      traces[name] = trace;
    }
    expect(traces.ferrows).toEqual(traces.ws);
  });
}

const ACCEPTED = 'HTTP/1.1 101 ';
const PLAIN = 'Upgrade Required\r\nContent-Length: 16\r\n';
const WITH_BODY = '\r\n\r\nUpgrade Required';
const upgrade = (line, headers = '') =>
  `${line}\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`;
const good = (headers) => upgrade('GET / HTTP/1.1', headers);
const plain = (headers = '', line = 'GET / HTTP/1.1') => `${line}\r\nHost: h\r\n${headers}\r\n`;

describe('request lines', () => {
  answers('two blanks', upgrade('GET  /admin HTTP/1.1'));
  answers('two blanks twice', upgrade('GET  /a  HTTP/1.1'), ACCEPTED);
  answers('no version', upgrade('GET /'), ACCEPTED);
  answers('no version and a refused path', upgrade('GET /admin'));
  answers('a tab', upgrade('GET\t/ HTTP/1.1'));
  answers('HTTP/1.0', upgrade('GET / HTTP/1.0'), ACCEPTED);
  answers('HTTP/0.9', upgrade('GET / HTTP/0.9'), ACCEPTED);
  answers('HTTP/2.0', upgrade('GET / HTTP/2.0'), ACCEPTED);
  answers('HTTP/1.2', upgrade('GET / HTTP/1.2'));
  answers('HTTP/1.10', upgrade('GET / HTTP/1.10'));
  answers('HTTP/2 before it is known', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  answers('RTSP', upgrade('GET / RTSP/1.0'), ACCEPTED);
  answers('an RTSP method', upgrade('PLAY / RTSP/1.0'));
  answers('an RTSP method of HTTP', upgrade('PLAY / HTTP/1.1'));
  answers('an HTTP method of RTSP', upgrade('PUT / RTSP/1.0'));
  answers('ICE', upgrade('SOURCE / ICE/1.0'));
  answers('CONNECT', upgrade('CONNECT a:1 HTTP/1.1'));
  answers('another method', upgrade('POST / HTTP/1.1'));
  answers('no method', upgrade('FOO / HTTP/1.1'));
  answers('an absolute URL', upgrade('GET http://h:1/a?b HTTP/1.1'), ACCEPTED);
  answers('an absolute URL without a path', upgrade('GET ws://h HTTP/1.1'), ACCEPTED);
  answers('a URL with a user', upgrade('GET http://u@h/ HTTP/1.1'), ACCEPTED);
  answers('a URL with two users', upgrade('GET http://u@@h/ HTTP/1.1'));
  answers('a URL with a bad host', upgrade('GET http://a"b/ HTTP/1.1'));
  answers('a URL with a bad scheme', upgrade('GET h1://a/ HTTP/1.1'));
  answers('an asterisk', upgrade('GET * HTTP/1.1'), ACCEPTED);
  answers('an odd path', upgrade('GET /"<>\\^`{|}#a?b HTTP/1.1'), ACCEPTED);
  answers('a path that is not ASCII', upgrade('GET /\xe9 HTTP/1.1'));
  answers('blank lines before it', `\r\n\n\r${good()}`, ACCEPTED);
  answers('a blank before it', ` ${good()}`);
});

describe('header lines', () => {
  answers('blanks around values', good('Origin: \t http://good\t \r\nX:\r\nY: \t\r\n'), ACCEPTED);
  answers('0xA0 around a value', good('Origin: \xa0http://good\xa0\r\n'), ACCEPTED);
  answers('bytes above ASCII', good('X: \x80\xff\r\n'), ACCEPTED);
  answers('a NUL', good('X: a\0b\r\n'));
  answers('a DEL', good('X: a\x7fb\r\n'));
  answers('obs-fold', good('X: a\r\n b\r\n'));
  answers('obs-fold with a tab', good('X: a\r\n\tb\r\n'));
  answers('a bare line feed', good('X: a\nY: b\r\n'));
  answers('a bare carriage return', good('X: a\rY: b\r\n'));
  answers('a blank before the colon', good('X : a\r\n'));
  answers('no colon', good('X\r\n'));
  answers('no name', good(': a\r\n'));
  answers('a name that is no token', good('X(: a\r\n'));
  answers(
    'repeated headers',
    good('Host: i\r\nCookie: a\r\nCookie: b\r\nX: 1\r\nx: 2\r\n'),
    ACCEPTED
  );
  answers('names that objects have', good('__proto__: a\r\nconstructor: b\r\n'), ACCEPTED);
  answers('Connection in two headers', good('Connection: close\r\n'), ACCEPTED);
  answers('lengths that contradict', good('Content-Length: 1\r\nTransfer-Encoding: chunked\r\n'));
  answers('a length that is no number', good('Content-Length: x\r\n'));
});

describe('sizes', () => {
  // What counts: the target, names and values.
  const sized = (size) => {
    const other = good().split('\r\n').slice(1, -2);
    const used = other.reduce((sum, line) => sum + line.length - 2, '/X'.length);
    return good(`X: ${'x'.repeat(size - used)}\r\n`);
  };
  answers('one below the limit', sized(LIMIT - 1), ACCEPTED);
  answers('the limit', sized(LIMIT));
  answers('one above the limit', sized(LIMIT + 1));
  answers('many blanks are not counted', good(`X: ${' '.repeat(2 * LIMIT)}x\r\n`), ACCEPTED);
  answers('many headers', good('a: b\r\n'.repeat(900)), ACCEPTED);
});

describe('plain requests', () => {
  answers('one that keeps the connection', plain(), WITH_BODY);
  answers('two, one after the other', [plain(), plain()], WITH_BODY);
  answers(
    'an upgrade after one',
    [plain(), good()],
    /(?:\r\n\r\nUpgrade Required|HTTP\/1\.1 101 )/
  );
  answers('bytes after one', `${plain()}x`);
  answers('a blank line after one', `${plain()}\r\n`, WITH_BODY);
  answers('HEAD', plain('', 'HEAD / HTTP/1.1'), PLAIN);
  answers('one that closes', plain('Connection: close\r\n'));
  answers('HTTP/1.0', plain('', 'GET / HTTP/1.0'));
  answers(
    'HTTP/1.0 that keeps it',
    plain('Connection: keep-alive\r\n', 'GET / HTTP/1.0'),
    WITH_BODY
  );
  answers('no Host', 'GET / HTTP/1.1\r\n\r\n');
  answers(
    'a body',
    [`${plain('Content-Length: 3\r\n', 'POST / HTTP/1.1')}abc`, plain()],
    WITH_BODY
  );
  answers(
    'a body in chunks',
    [
      `${plain('Transfer-Encoding: chunked\r\n', 'POST / HTTP/1.1')}3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n`,
      plain()
    ],
    WITH_BODY
  );
  answers('Expect: 100-continue', plain('Expect: 100-continue\r\n'), WITH_BODY);
  answers('Expect: something else', plain('Expect: x\r\nConnection: close\r\n'));
  answers('Expect of an upgrade', good('Expect: 100-continue\r\n'), ACCEPTED);
});

describe('what follows an upgrade', () => {
  const hello = frame(0x81, 'hello').toString('latin1');

  answers('a frame', good() + hello, 'echo hello');
  answers('a frame behind blank lines', `\r\n${good()}${hello}`, 'echo hello');
  answers(BODY, `${good('Content-Length: 3\r\n')}${hello}`, 'echo hello');
  answers(
    'a frame behind a plain request',
    [plain(), good() + hello],
    /(?:\r\n\r\nUpgrade Required|echo hello)/
  );
});

describe('what follows the body of an upgrade, with a server of Node', () => {
  test.each([
    ['at once', ['abc', true]],
    ['behind the answer', ['', false]]
  ])('%s', async (title, [body, isTogether]) => {
    const seen = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const { wss, port, close } = await serve(WebSocket, 'noServer');
      const came = new Promise((resolve) => {
        wss.on('connection', (websocket) => {
          websocket.on('message', (data) => resolve(`message ${data}`));
          websocket.on('error', (error) => resolve(`error ${error.code}`));
        });
      });
      const socket = net.connect({ port, host: '127.0.0.1' });
      const head = good('Content-Length: 3\r\n');
      const rest = Buffer.concat([Buffer.from(isTogether ? '' : 'abc'), frame(0x81, 'hello')]);
      socket.write(Buffer.concat([Buffer.from(head + body), isTogether ? rest : Buffer.alloc(0)]));
      await once(socket, 'data');
      if (!isTogether) socket.write(rest);
      seen[name] = await came;
      socket.destroy();
      await close();
    }
    expect(seen.ferrows).toBe(seen.ws);
  });
});

describe('ends', () => {
  test.each([
    ['before a byte', ''],
    ['within a head', 'GET / HTTP/1.1\r\nHost: a\r\n'],
    ['within a target', 'GET /'],
    ['after blank lines', '\r\n\r\n'],
    ['within a body', plain('Content-Length: 3\r\n', 'POST / HTTP/1.1')]
  ])('%s', async (title, text) => {
    const seen = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const { port, close } = await serve(WebSocket, 'port');
      const socket = net.connect({ port, host: '127.0.0.1' });
      let all = '';
      socket.on('data', (data) => (all += data));
      socket.end(text);
      await once(socket, 'close');
      await close();
      seen[name] = all.replace(/^Date: .*\r\n/gm, '');
    }
    expect(seen.ferrows).toBe(seen.ws);
  });
});

describe('the limit that Node was given', () => {
  // Counted are "/", "Host", "a", "X" and the value.
  const sized = (size) => `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(size - 7)}\r\n\r\n`;
  const program = `
    const http = require('http');
    const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1' }, () => {
      console.log(JSON.stringify([wss.address().port, http.maxHeaderSize]));
    });
  `;

  test.each([1000, 40000])('%d bytes', async (limit) => {
    const source = `const WebSocket = require(${JSON.stringify(ROOT)});${program}`;
    const child = spawn(process.execPath, [`--max-http-header-size=${limit}`, '-e', source]);
    try {
      const [line] = await once(child.stdout, 'data');
      const [port, told] = JSON.parse(line);
      expect(told).toBe(limit);
      expect(await exchange(port, [sized(limit - 1)], WITH_BODY)).toMatch(/^HTTP\/1\.1 426 /);
      expect(await exchange(port, [sized(limit)], WITH_BODY)).toMatch(/^HTTP\/1\.1 431 /);
    } finally {
      child.kill();
    }
  });
});
