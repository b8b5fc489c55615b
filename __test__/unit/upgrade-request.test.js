// The request that is read off a block: nothing before somebody looks.

'use strict';

const http = require('http');

const binding = require('../../lib/binding');
const httpRules = require('../../lib/http-rules');
const upgradeRequest = require('../../lib/upgrade-request');

const TEXT = [
  'GET http://h/p?q HTTP/1.0',
  'Host: h',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'X: \xa0 a,  b\t',
  'X:',
  'Set-Cookie: a',
  'Set-Cookie: b',
  '\r\n'
].join('\r\n');

/** A request from a block that counts how often it is read. */
function read(text, transport = { socket: {} }) {
  const chunk = Buffer.from(`${text}rest`, 'latin1');
  const { head, used } = binding.converse([chunk], httpRules(), 'now');
  const counts = { reads: 0 };
  head.latin1Slice = function (...range) {
    counts.reads++;
    return Buffer.prototype.latin1Slice.apply(this, range);
  };
  return { counts, request: upgradeRequest(head, transport), used };
}

test('its parts', () => {
  const { request, used } = read(TEXT);
  expect(used).toBe(TEXT.length);
  expect(request).toBeInstanceOf(http.IncomingMessage);
  expect([request.method, request.url, request.httpVersion]).toEqual([
    'GET',
    'http://h/p?q',
    '1.0'
  ]);
  expect([request.httpVersionMajor, request.httpVersionMinor]).toEqual([1, 0]);
  expect(request.rawHeaders).toEqual([
    ...['Host', 'h', 'Connection', 'Upgrade', 'Upgrade', 'websocket', 'X', '\xa0 a,  b', 'X', ''],
    ...['Set-Cookie', 'a', 'Set-Cookie', 'b']
  ]);
  expect({ ...request.headers }).toEqual({
    host: 'h',
    connection: 'Upgrade',
    upgrade: 'websocket',
    x: '\xa0 a,  b, ',
    'set-cookie': ['a', 'b']
  });
});

test('headers are read once, and when they are asked for', () => {
  const { counts, request } = read(TEXT);
  const before = counts.reads;
  expect(request.url).toBe('http://h/p?q');
  expect(counts.reads).toBe(before);
  expect(request.headers.host).toBe('h');
  expect(counts.reads).toBe(before + 1);
  expect(request.headers.connection).toBe('Upgrade');
  expect(request.rawHeaders).toHaveLength(14);
  expect(Object.getOwnPropertyDescriptor(request, 'rawHeaders')).toHaveProperty('value');
  expect(counts.reads).toBe(before + 1);
});

test('the socket is made when it is asked for', () => {
  let made = 0;
  const transport = {
    get socket() {
      made++;
      return { number: made };
    }
  };
  const { request } = read(TEXT, transport);
  expect(request.headers.host).toBe('h');
  expect(made).toBe(0);
  expect(request.socket).toEqual({ number: 1 });
  expect(request.connection).toBe(request.socket);
  expect(made).toBe(1);
});
