// Answers to a client's handshake that are almost right: a 101 or a redirect
// with structured mutations. The same seed gives the same answers.

'use strict';

const { generator } = require('./http-heads');
const { frame } = require('./raw-peer');

const STATUS_LINES = [
  ...['HTTP/1.1 200 OK', 'HTTP/1.0 101 X', 'HTTP/1.1 101', 'HTTP/1.1 101 ', 'HTTP/1.1 1011 X'],
  ...['HTTP/1.1 99 X', 'HTTP/1.1 404 No', 'HTTP/2.0 101 X', 'RTSP/1.0 101 X', 'http/1.1 101 X'],
  ...['HTTP/1.1  101 X', ' HTTP/1.1 101 X', 'ICY 200 OK', 'HTTP/1.1 426 Upgrade Required'],
  ...['HTTP/1.1 304 X', 'HTTP/1.1 204 X', 'HTTP/1.1 101\tX', 'HTTP/1.1 101 \xe9', 'garbage', '']
];
const BEFORE = [
  ...[
    '\r\n',
    '\n',
    ' ',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n'
  ],
  ...['HTTP/1.1 102 Processing\r\n\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n']
];
const HEADERS = [
  ...['Upgrade: h2c', 'Upgrade: WebSocket', 'upgrade: websocket', 'Upgrade:', 'Connection: close'],
  ...['Connection: keep-alive', 'Connection: x, upgrade', 'Connection:', 'Content-Length: 3'],
  ...['Content-Length: x', 'Transfer-Encoding: chunked', 'Sec-WebSocket-Accept: x', 'X : y', 'X'],
  ...['Sec-WebSocket-Accept:', 'Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: b, a', ': x'],
  ...['Sec-WebSocket-Protocol:', 'Sec-WebSocket-Protocol: \xa0a', 'Sec-WebSocket-Protocol: z'],
  ...['Sec-WebSocket-Extensions: permessage-deflate', 'Sec-WebSocket-Extensions: x', 'X: \xff'],
  ...['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8', 'X: a\r\n b'],
  ...['Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits', '__proto__: x'],
  ...['Sec-WebSocket-Extensions: permessage-deflate, permessage-deflate', 'constructor: x'],
  ...['Sec-WebSocket-Extensions:', 'Sec-WebSocket-Extensions: ;', 'Set-Cookie: a', 'Location: /x']
];
// Where a redirect may lead. Ports and hosts are never connected to.
const LOCATIONS = [
  ...[
    '/',
    '',
    '?',
    '#',
    '//',
    '///',
    '/a b',
    'a',
    '.',
    '..',
    '\\',
    '//other',
    'ws:',
    'ws:/',
    'ws://'
  ],
  ...[
    'ws://other/',
    'wss://other/',
    'http://other/',
    'https://other/',
    'ftp://other/',
    'file:///x'
  ],
  ...['javascript:1', 'data:,x', 'blob:x', 'mailto:x', 'ws+unix:', 'ws+unix:/a', 'ws+unix:/a:/b'],
  ...[
    'ws+unix://a',
    'ws+unix:///a:',
    'ws+unix:x',
    'wss+unix:/a',
    'http+unix:/a',
    'ws://x:%@other/'
  ],
  ...['ws://%:%@other/', 'ws://%ff%:%E0%A4@other/', 'ws://%zz@other/', 'ws://a+b:c+d@other/'],
  ...[
    'ws://%40:%3a@other/',
    'ws://:x@other/',
    'ws://x@other/',
    'ws://@other/',
    'ws://\xe9:\xff@other'
  ],
  ...[
    'ws://other:0/',
    'ws://other:1/',
    'ws://other:65535',
    'ws://other:65536',
    'ws://other:99999/'
  ],
  ...[
    'ws://other:-1/',
    'ws://other:x/',
    'ws://other:/',
    'ws://:80/',
    'ws://[::1]/',
    'ws://[::1',
    'ws://[x]/'
  ],
  ...['ws://1.2.3.4.5/', 'ws://0x7f.1/', 'ws://256.1.1.1/', 'ws://a b/', 'ws://%41/', 'ws://%00/'],
  ...[
    'ws://other/#x',
    '/#',
    '/#x',
    '/%',
    '/%zz',
    '/\xe9',
    '/\xff',
    '/\x80',
    `/${'a'.repeat(5000)}`
  ],
  ...[
    'ws://xn--/',
    'ws://\xad/',
    'ws://a..b/',
    'ws://other/?a=%&b=#',
    '  /a  ',
    '\t/b',
    'null',
    'undefined'
  ]
];
// None that a Sec-WebSocket-Accept is made of: keys differ from run to run.
const BYTES = '\0\t\n\v\r !"#%,-.:;@[\\]^_`{|}~\x7f\x80\xa0\xff';

class Answers {
  /** @param {Number} seed */
  constructor(seed) {
    this.below = generator(seed);
  }

  /** A function that makes the chunks of the next answer from what the key asks for. */
  next() {
    const isRedirect = this.below(3) === 0;
    const parts = isRedirect ? this.redirect() : this.switching();
    for (let count = this.below(4); count > 0; count--) this.mutate(parts);
    const byte = this.below(12) === 0 && this.byte();
    const [at, step] = [this.below(1000), this.below(60)];
    const cut = this.below(3) === 0;

    return (accept) => {
      const { before, status, lines, after } = parts;
      const head = [status, ...lines, '', ''].join(parts.end).replace('ACCEPT', accept);
      let text = before + head + after;
      const place = at % (text.length + 1);
      if (byte !== false) text = text.slice(0, place) + byte + text.slice(place + (at & 1));
      if (cut) text = text.slice(0, parts.before.length + (place * 2 || 1));
      return chunksOf(Buffer.from(text, 'latin1'), step);
    };
  }

  switching() {
    const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Accept: ACCEPT'];
    if (this.below(2) === 0) lines.push('Sec-WebSocket-Protocol: a');
    return {
      before: '',
      status: 'HTTP/1.1 101 Switching Protocols',
      lines,
      end: '\r\n',
      after: ''
    };
  }

  redirect() {
    const code = this.oneOf([300, 301, 302, 303, 307, 308, 399]);
    const location = this.oneOf(LOCATIONS);
    const lines = [`Location: ${this.below(8) === 0 ? this.insert(location) : location}`];
    const after = this.oneOf(['', 'body', '\r\n']);
    return { before: '', status: `HTTP/1.1 ${code} Found`, lines, end: '\r\n', after };
  }

  mutate(parts) {
    const { lines } = parts;
    const line = this.below(lines.length + 1);
    switch (this.below(9)) {
      case 0:
        parts.status = this.oneOf(STATUS_LINES);
        break;
      case 1:
        parts.before = this.oneOf(BEFORE);
        break;
      case 2:
      case 3:
        lines.splice(line, 0, this.oneOf(HEADERS));
        break;
      case 4:
        if (line < lines.length) lines.splice(line, 1);
        break;
      case 5:
        if (line < lines.length) lines[line] = this.insert(lines[line]);
        break;
      case 6:
        if (this.below(4) === 0) parts.end = this.oneOf(['\n', '\r', '\r\r\n']);
        break;
      case 7:
        if (this.below(6) === 0) lines.push(`X: ${'x'.repeat(20000)}`);
        break;
      default:
        parts.after = this.oneOf([
          frame(0x81, 'hi', { mask: false }).toString('latin1'),
          frame(0x88, '\x03\xe8', { mask: false }).toString('latin1'),
          frame(0x81, 'hi').toString('latin1'),
          'garbage',
          '\r\n'
        ]);
    }
  }

  insert(text) {
    const at = this.below(text.length + 1);
    return text.slice(0, at) + this.byte() + text.slice(at + this.below(2));
  }

  byte() {
    return this.oneOf(BYTES);
  }

  oneOf(list) {
    return list[this.below(list.length)];
  }
}

function chunksOf(bytes, step) {
  if (step > 40) return [bytes];
  const size = Math.max(step, 1, bytes.length >> 6);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  return chunks;
}

module.exports = { Answers, LOCATIONS };
