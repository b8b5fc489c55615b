'use strict';

const { byteLengthOf, toBuffer, toPayload } = require('../../lib/send-data');

const bytes = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);

const cases = [
  ['a Buffer', Buffer.from('abc'), '616263'],
  ['an empty Buffer', Buffer.alloc(0), ''],
  ['a Uint8Array', bytes, '0102030405060708'],
  ['a part of a Uint8Array', bytes.subarray(2, 5), '030405'],
  ['a Uint16Array', new Uint16Array(bytes.buffer, 2, 2), '03040506'],
  ['a Float64Array', new Float64Array(bytes.buffer), '0102030405060708'],
  ['a BigInt64Array', new BigInt64Array(bytes.buffer), '0102030405060708'],
  ['a DataView', new DataView(bytes.buffer, 6), '0708'],
  ['an ArrayBuffer', bytes.buffer, '0102030405060708'],
  ['an array', [65, 256 + 66], '4142'],
  ['what toJSON() of a Buffer made', { type: 'Buffer', data: [67] }, '43'],
  ['an array-like', { length: 2, 0: 1, 1: 2 }, '0102'],
  ['a String object', new String('κ'), 'ceba'],
  ['an object with a primitive', { [Symbol.toPrimitive]: () => 'hi' }, '6869']
];

test.each(cases)('%s', (name, data, hex) => {
  expect(toBuffer(data).toString('hex')).toBe(hex);
  expect(toPayload(data).toString('hex')).toBe(hex);
  expect(byteLengthOf(data)).toBe(hex.length / 2);
});

test('text stays text and is measured in bytes', () => {
  expect(toPayload('κόσμε')).toBe('κόσμε');
  expect(byteLengthOf('κόσμε')).toBe(10);
  expect(byteLengthOf('\ud83d\ude00')).toBe(4);
  expect(byteLengthOf('\ud800')).toBe(3);
});

test('views are not copied', () => {
  const view = bytes.subarray(1, 3);
  const buffer = Buffer.from('abc');
  expect(toBuffer(buffer)).toBe(buffer);
  expect(toBuffer(view).buffer).toBe(bytes.buffer);
  expect(toBuffer(view).byteOffset).toBe(1);
});

test.each([[true], [{}], [() => {}], [Symbol('s')], [1n], [5], [null], [undefined]])(
  '%p is refused',
  (data) => {
    expect(() => toBuffer(data)).toThrow(
      expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' })
    );
  }
);
