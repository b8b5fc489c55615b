// Requests that are almost right: real heads with structured mutations, cut into
// chunks in every way. The same seed gives the same requests.

'use strict';

const { METHODS } = require('http');

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

const RTSP_METHODS = ['DESCRIBE', 'SETUP', 'PLAY', 'GET_PARAMETER', 'FLUSH', 'ANNOUNCE'];
const OTHER_METHODS = ['PRI', 'FOO', 'get', 'GETS', 'GE', '', 'M-SEARC', 'UNBINDX', 'GET\t'];
const TARGETS = [
  ...['/', '*', '/a?b#c?d#e', '/%00', '//x', '/a b', '', '?', '#', 'foo', '\\', '/é'],
  ...['http://a/b', 'http://', 'http://a@b:1/', 'http://a@@b', 'http://a@b@c?d', 'ws://[::1]:8/'],
  ...['http:/a', 'http:a', 'http', 'h1://a', 'http://a#b', 'http://a"b', 'a:1', '[::1]:443', '@'],
  ...['/"<>\\^`{|}', '/a\tb', '/a\x7f', 'http://a b/', '/'.padEnd(300, 'a')]
];
const PROTOCOLS = ['HTTP', 'HTTP', 'HTTP', 'HTTP', 'RTSP', 'ICE', 'http', 'HTT', 'ICEX', ''];
const VERSIONS = [
  ...['1.1', '1.1', '1.1', '1.0', '0.9', '2.0', '1.2', '3.0', '1.', '.1', '11', '1.10', 'a.b', '']
];
const NAMES = [
  ...['Host', 'Upgrade', 'Connection', 'Proxy-Connection', 'Content-Length', 'Transfer-Encoding'],
  ...['Expect', 'Origin', 'Cookie', 'Set-Cookie', 'X-Forwarded-For', 'Sec-WebSocket-Key', 'TE'],
  ...[
    'Connection2',
    'Upgrade-Insecure-Requests',
    'X',
    'constructor',
    '__proto__',
    'host',
    'CONNECTION'
  ]
];
const VALUES = {
  __proto__: null,
  connection: [
    ...[
      'upgrade',
      'Upgrade',
      'keep-alive, Upgrade',
      'close',
      'close, upgrade',
      'keep-alive',
      'upgraded'
    ],
    ...[
      'foo,upgrade ,bar',
      'foo upgrade',
      ' , upgrade',
      'upgrade x',
      'up,upgrade',
      'clo,close',
      ''
    ],
    ...['close x, upgrade', 'upgrade,', ',', 'keep-aliveclose', 'upgrade\t, close', 'UPGRADE;q=1']
  ],
  upgrade: ['websocket', 'WebSocket', 'h2c', '', ' ', 'a, b', '\xa0'],
  'content-length': [
    '0',
    '3',
    '5',
    '5 ',
    '05',
    '+5',
    '5,5',
    '5 5',
    '',
    'x',
    '-1',
    '1e1',
    '0x5',
    '5\t',
    '\t0'
  ].concat(['18446744073709551615', '18446744073709551616', '99999999999999999999999']),
  'transfer-encoding': [
    ...[
      'chunked',
      'Chunked',
      'gzip',
      'gzip, chunked',
      'chunked, gzip',
      'chunked ',
      'chunked\t',
      ''
    ],
    ...['chunked,', 'chunke', 'chunked x', 'gzip,\tchunked', 'chunkedd', 'identity', ',chunked']
  ],
  expect: [
    '100-continue',
    '100-Continue',
    'foo',
    '',
    'a, 100-continue',
    '100-continue_',
    'x100-continue'
  ],
  host: ['a', '', 'a, b', 'localhost:80', '[::1]', 'a b']
};
const PLAIN_VALUES = [
  'a',
  '',
  ' a ',
  '\ta\t',
  'a\xa0',
  '\xa0a',
  'http://good\xa0',
  'a\tb',
  'é',
  'a,b'
].concat(['a;b', '"a', 'a\x0b', 'a\x0c ', 'x'.repeat(200), ` ${' '.repeat(300)}a`]);
const LINE_ENDS = ['\n', '\r', '\r\r\n', '\n\r', ' \r\n', '\r\n ', '\r\n\t', '\r\n\r\n', ''];
const SPACES = ['  ', '   ', '', '\t', ' \t', '\r', '\n'];
const BYTES = '\0\t\n\v\f\r !"#%&\'()*,-./09:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\x85\xa0\xff';
const CHUNKED_BODIES = [
  ...[
    '0\r\n\r\n',
    '3\r\nabc\r\n0\r\n\r\n',
    'A\r\n0123456789\r\n0\r\nX: y\r\n\r\n',
    '3;a=b\r\nabc\r\n0\r\n\r\n'
  ],
  ...[
    '3;a="b\\"c";d\r\nabc\r\n0\r\n\r\n',
    '0\r\nConnection: close\r\n\r\n',
    '0\r\nContent-Length: 1\r\n\r\n'
  ],
  ...[
    '3 \r\nabc\r\n',
    '3\nabc',
    'x',
    '3\r\nabcd\r\n',
    '; a\r\n',
    '3;\r\nabc\r\n0\r\n\r\n',
    '3; a\r\n'
  ],
  ...[
    'FFFFFFFFFFFFFFFFF\r\n',
    '00000\r\n\r\n',
    '3;a"b"c\r\n',
    '3;a="b"c\r\n',
    `3;${'a'.repeat(300)}\r\n`
  ],
  ...['0\r\nTransfer-Encoding: chunked\r\n\r\n', '0\r\nX : y\r\n\r\n', '3\r\nabc\n0\r\n\r\n']
];

/** A generator of numbers below a limit (mulberry32). */
function generator(seed) {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

class Heads {
  /** @param {Number} seed */
  constructor(seed) {
    this.below = generator(seed);
  }

  /** The next request: chunks, and whether the peer ends its side after them. */
  next() {
    let text = this.request();
    // Mostly one, sometimes what follows it.
    while (this.chance(12)) text += this.request();
    if (this.chance(12)) text += this.oneOf(['rest', '\r\n', '\x81\x80\0\0\0\0', 'GET', 'x']);
    if (this.chance(8)) text = this.damage(text);
    if (this.chance(10)) text = text.slice(0, this.below(text.length + 1));
    return { chunks: this.cut(Buffer.from(text, 'latin1')), ends: this.chance(8) };
  }

  /** A head and perhaps a body. */
  request() {
    const parts = {
      before: '',
      method: 'GET',
      spaces: [' ', ' '],
      target: '/chat?room=1',
      protocol: 'HTTP',
      version: '1.1',
      lines: this.headers(),
      ends: [],
      body: ''
    };
    for (let count = this.below(4); count > 0; count--) this.mutate(parts);
    return render(parts);
  }

  headers() {
    const lines = [['Host', 'localhost']];
    if (!this.chance(5)) lines.push(['Connection', 'Upgrade'], ['Upgrade', 'websocket']);
    if (this.chance(2)) lines.push(['Sec-WebSocket-Key', KEY], ['Sec-WebSocket-Version', '13']);
    return lines;
  }

  mutate(parts) {
    const { lines } = parts;
    const line = this.below(lines.length + 1);
    switch (this.below(17)) {
      case 0:
        parts.before = '\r\n'.repeat(this.below(4)) + this.oneOf(['', '\n', '\r', ' ']);
        break;
      case 1:
        parts.method = this.oneOf([METHODS, METHODS, RTSP_METHODS, OTHER_METHODS][this.below(4)]);
        break;
      case 2:
        parts.target = this.oneOf(TARGETS);
        break;
      case 3:
        parts.target = this.insert(parts.target);
        break;
      case 4:
        parts.protocol = this.oneOf(PROTOCOLS);
        if (this.chance(2)) parts.method = this.oneOf([...RTSP_METHODS, 'OPTIONS', 'SOURCE']);
        break;
      case 5:
        parts.version = this.oneOf(VERSIONS);
        break;
      case 6:
        // The form of HTTP/0.9.
        if (this.chance(2)) parts.spaces[this.below(2)] = this.oneOf(SPACES);
        else parts.version = parts.protocol = parts.spaces[1] = null;
        break;
      case 7:
      case 8:
      case 9:
        lines.splice(line, 0, this.header());
        break;
      case 10:
        if (line < lines.length) lines[line] = [this.insert(lines[line][0]), lines[line][1]];
        break;
      case 11:
        if (line < lines.length) lines[line] = [lines[line][0], this.insert(lines[line][1])];
        break;
      case 12:
        if (line < lines.length) lines.splice(line, 1);
        break;
      case 13:
        parts.ends[line] = this.oneOf(LINE_ENDS);
        break;
      case 14:
        this.addBody(parts);
        break;
      case 15:
        this.addMuch(parts);
        break;
      default:
        if (line < lines.length) lines.splice(line, 0, lines[line]);
    }
  }

  header() {
    const name = this.chance(12) ? this.insert(this.oneOf(NAMES)) : this.oneOf(NAMES);
    const values = VALUES[name.toLowerCase()] || PLAIN_VALUES;
    const value = this.oneOf(this.chance(10) ? PLAIN_VALUES : values);
    return [name, this.chance(5) ? this.insert(value) : value];
  }

  addBody(parts) {
    parts.method = this.oneOf(['POST', 'GET', 'HEAD']);
    if (this.chance(2)) {
      const length = this.below(6);
      parts.lines.push(['Content-Length', String(length)]);
      parts.body = 'abcdef'.slice(0, this.chance(4) ? this.below(7) : length);
    } else {
      parts.lines.push(['Transfer-Encoding', 'chunked']);
      parts.body = this.oneOf(CHUNKED_BODIES);
      if (this.chance(4)) parts.body = this.insert(parts.body);
    }
    // Without an upgrade the body is read.
    if (!this.chance(4)) {
      parts.lines = parts.lines.filter(([name]) => !/^(connection|upgrade)$/i.test(name));
    }
  }

  /** Much of something, near a limit or far above it. */
  addMuch(parts) {
    const size = this.chance(20) ? this.below(20000) : this.below(600);
    switch (this.below(6)) {
      case 0:
        parts.lines.push(['X', 'x'.repeat(size)]);
        break;
      case 1:
        parts.lines.push(['X', `${' '.repeat(size)}x`]);
        break;
      case 2:
        parts.lines.push(['X', `x${' '.repeat(size)}`]);
        break;
      case 3:
        parts.lines.push(['n'.repeat(size) || 'n', this.oneOf(PLAIN_VALUES)]);
        break;
      case 4:
        parts.target += 'a'.repeat(size);
        break;
      default:
        for (
          let count = this.chance(30) ? 950 + this.below(150) : this.below(70);
          count > 0;
          count--
        ) {
          parts.lines.splice(this.below(4), 0, [this.oneOf(['A', 'b', 'Cookie']), 'x']);
        }
    }
  }

  /** Puts a byte somewhere, or in the place of another. */
  insert(text) {
    const at = this.below(text.length + 1);
    const byte = this.chance(4) ? String.fromCharCode(this.below(256)) : this.oneOf(BYTES);
    return text.slice(0, at) + byte + text.slice(at + this.below(2));
  }

  damage(text) {
    const at = this.below(text.length + 1);
    switch (this.below(4)) {
      case 0:
        return this.insert(text);
      case 1:
        return text.slice(0, at) + text.slice(at + 1 + this.below(4));
      case 2:
        return text.slice(0, at) + text.slice(Math.max(0, at - 1 - this.below(20)));
      default:
        return text.slice(0, at) + text.slice(this.below(text.length));
    }
  }

  cut(bytes) {
    const chunks = [];
    const way = this.below(10);
    const most = way < 5 ? bytes.length : way === 5 ? 1 : way < 8 ? 60 : 4 + (bytes.length >> 1);
    const step = Math.max(most, bytes.length >> 9);
    for (let at = 0; at < bytes.length;) {
      const size = way < 6 ? step : 1 + this.below(step);
      chunks.push(bytes.subarray(at, at + size));
      at += size;
    }
    return chunks;
  }

  chance(oneIn) {
    return this.below(oneIn) === 0;
  }

  oneOf(list) {
    return list[this.below(list.length)];
  }
}

function render({ before, method, spaces, target, protocol, version, lines, ends, body }) {
  const end = (index) => (ends[index] === undefined ? '\r\n' : ends[index]);
  const first = protocol === null ? '' : `${spaces[1]}${protocol}/${version}`;
  const text = lines.map(([name, value], index) => `${name}: ${value}${end(index)}`).join('');
  return `${before}${method}${spaces[0]}${target}${first}\r\n${text}${end(lines.length)}${body}`;
}

module.exports = { Heads, generator };
