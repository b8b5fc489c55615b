// What a client makes of what a server answers, beside ws: answers that are almost
// right, without sockets. Each ends in events.

'use strict';

const http = require('http');
const { Duplex } = require('stream');

const { Answers, LOCATIONS } = require('../support/http-answers');
const { libraries } = require('../support/libraries');
const { acceptOf, switching } = require('../support/peers');

const COUNT = 8000;
const ENOUGH_TIME = 600000;

/** A connection whose peer answers a request with chunks and leaves. */
class Wire extends Duplex {
  constructor(answer, trace) {
    super();
    this._answer = answer;
    this._trace = trace;
    this._asked = '';
  }

  setTimeout() {
    return this;
  }

  setNoDelay() {
    return this;
  }

  setKeepAlive() {
    return this;
  }

  ref() {
    return this;
  }

  unref() {
    return this;
  }

  _read() {}

  _write(chunk, encoding, callback) {
    if (this._answer !== null) {
      this._asked += chunk.toString('latin1');
      if (this._asked.includes('\r\n\r\n')) this._begin();
    }
    callback();
  }

  _begin() {
    const [, key] = /^sec-websocket-key: (.*)\r$/im.exec(this._asked);
    const chunks = this._answer(acceptOf(key));
    this._answer = null;
    this._trace.push(this._asked.replace(key, 'KEY'));
    const step = () => {
      if (this.destroyed) return;
      const chunk = chunks.shift();
      this.push(chunk === undefined ? null : chunk);
      if (chunk !== undefined) setImmediate(step);
    };
    setImmediate(step);
  }
}

// COMPAT: what follows a redirect is nobody's business any more. With ws, if it is not HTTP, the
// WebSocket ends while the next request is under way, or a second time.
function isErrorOfTheFirst(trace) {
  const count = (kind) =>
    trace.filter((line) => line[0] === kind || line.startsWith?.(kind)).length;
  return trace.some((line) => /HPE_/.test(line)) && count('connects') + count('close') > 2;
}

const REFUSED = () => [Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n')];

/** Connects to a peer that answers so, and resolves with what happened. */
function play(WebSocket, answer, options = {}) {
  const trace = [];
  let next = answer;
  const websocket = new WebSocket('ws://user:pass@first/path?a=b', ['a'], {
    followRedirects: true,
    createConnection: ({ host, path, port, socketPath }) => {
      trace.push(['connects', host, path, port, socketPath]);
      const wire = new Wire(next, trace);
      next = REFUSED;
      return wire;
    },
    ...options
  });
  const note = (event, ...details) => {
    trace.push([event, websocket.readyState, websocket.url, ...details].join(' | '));
  };
  websocket.on('upgrade', ({ statusCode, rawHeaders }) =>
    note('upgrade', statusCode, rawHeaders.length)
  );
  websocket.on('open', () => note('open', websocket.protocol, websocket.extensions));
  websocket.on('message', (data, isBinary) => note('message', data, isBinary));
  websocket.on('error', ({ name, code, message }) => note('error', name, code, message));
  return new Promise((resolve) => {
    websocket.on('close', (code, reason) => {
      note('close', code, reason);
      setImmediate(resolve, trace);
    });
  });
}

test(
  'mutated answers in every chunking come to the same',
  async () => {
    const answers = new Answers(20261125);
    const kinds = { connects: 0, open: 0, message: 0, error: 0 };
    for (let index = 0; index < COUNT; index++) {
      const answer = answers.next();
      const expected = await play(libraries.ws, answer);
      const actual = await play(libraries.ferrows, answer);
      if (isErrorOfTheFirst(expected)) {
        const ends = actual.filter((line) => /^(?:error|close) /.test(line));
        expect([index, ends]).toEqual([index, [expect.not.stringContaining('HPE_'), actual.pop()]]);
        continue;
      }
      if (JSON.stringify(actual) !== JSON.stringify(expected)) {
        const text = Buffer.concat(answer('ACCEPT')).toString('latin1');
        expect([index, text, actual]).toEqual([index, text, expected]);
      }
      for (const kind of Object.keys(kinds)) {
        kinds[kind] += expected.filter(
          (line) => line[0] === kind || line.startsWith?.(kind)
        ).length;
      }
    }
    // Otherwise the comparison would say little.
    expect(kinds.connects).toBeGreaterThan(COUNT * 1.1);
    expect(kinds.open).toBeGreaterThan(COUNT / 20);
    expect(kinds.message).toBeGreaterThan(20);
    expect(kinds.error).toBeGreaterThan(COUNT / 4);
  },
  ENOUGH_TIME
);

const redirect = (location) => () => [
  Buffer.from(`HTTP/1.1 302 Found\r\nLocation: ${location}\r\n\r\n`, 'latin1')
];

describe('redirects to', () => {
  test.each(LOCATIONS.map((location) => [location]))('%j', async (location) => {
    const expected = await play(libraries.ws, redirect(location));
    expect(await play(libraries.ferrows, redirect(location))).toEqual(expected);
  });
});

// COMPAT: with ws these are thrown past 'error' and end the process.
describe('redirects that cannot be followed end in events', () => {
  const endsOf = (trace) => trace.slice(-2);
  const closed = expect.stringMatching(/^close \| 3 \| .* \| 1006 \| $/);

  test('a path with blanks, of a Unix socket', async () => {
    const trace = await play(libraries.ferrows, redirect('ws+unix:x y:/a b'));
    expect(endsOf(trace)).toEqual([
      expect.stringContaining('| ERR_UNESCAPED_CHARACTERS |'),
      closed
    ]);
  });

  test('TLS, with an agent that has none', async () => {
    const agent = new http.Agent();
    agent.createConnection = () => new Wire(redirect('wss://other/'), []);
    const trace = await play(libraries.ferrows, null, { agent });
    expect(endsOf(trace)).toEqual([expect.stringContaining('| ERR_INVALID_PROTOCOL |'), closed]);
  });

  test('a connection that cannot begin', async () => {
    let wire = null;
    const createConnection = () => {
      if (wire !== null) throw new RangeError('no second one');
      wire = new Wire(redirect('/'), []);
      return wire;
    };
    const trace = await play(libraries.ferrows, null, { createConnection });
    expect(endsOf(trace)).toEqual([
      expect.stringContaining('| RangeError |  | no second one'),
      closed
    ]);
  });
});

describe('what is thrown to who asked', () => {
  test.each(['ws+unix:x y:/a b', 'ws://[::1', 'ftp://a', 'ws://a/#b', 'ws+unix:'])(
    '%s',
    (address) => {
      const thrownBy = (WebSocket) => {
        try {
          return new WebSocket(address);
        } catch ({ name, code, message }) {
          return [name, code, message];
        }
      };
      expect(thrownBy(libraries.ws)).toHaveLength(3);
      expect(thrownBy(libraries.ferrows)).toEqual(thrownBy(libraries.ws));
    }
  );
});

test("an error behind the upgrade is not the WebSocket's", async () => {
  const traces = {};
  for (const [name, WebSocket] of Object.entries(libraries)) {
    const late = new Error('late');
    const good = (accept) => [Buffer.from(switching(accept, 'Sec-WebSocket-Protocol: a'))];
    let request;
    traces[name] = await play(WebSocket, good, {
      finishRequest: (made, websocket) => {
        request = made;
        websocket.on('open', () => request.emit('error', late));
        request.end();
      }
    });
  }
  expect(traces.ws.some((line) => line.startsWith?.('open'))).toBe(true);
  expect(traces.ferrows).toEqual(traces.ws);
});
