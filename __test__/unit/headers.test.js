'use strict';

const ws = require('ws');

const { extension, subprotocol } = require('../..');

/** What a function returns or throws, in comparable form. */
function outcome(parse, input) {
  try {
    return plain(parse(input));
  } catch (error) {
    return `${error.constructor.name}: ${error.message}`;
  }
}

function plain(value) {
  if (value instanceof Set) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  const prototype = Object.getPrototypeOf(value) === null ? 'null' : 'other';
  return [prototype, ...Object.entries(value).map(([name, inner]) => [name, plain(inner)])];
}

/** All texts of up to `length` pieces. */
function* combinations(pieces, length, start = '') {
  yield start;
  if (length === 0) return;
  for (const piece of pieces) yield* combinations(pieces, length - 1, start + piece);
}

/** Texts of random pieces; the same ones in every run. */
function* randomTexts(pieces, count) {
  let state = 12345;
  const next = (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return (state >> 8) % limit;
  };
  for (let i = 0; i < count; i++) {
    let text = '';
    for (let left = 1 + next(14); left > 0; left--) text += pieces[next(pieces.length)];
    yield text;
  }
}

function compare(parse, original, inputs) {
  const different = [];
  let accepted = 0;
  let refused = 0;
  for (const input of inputs) {
    const expected = outcome(original, input);
    const actual = outcome(parse, input);
    if (typeof expected === 'string') refused++;
    else accepted++;
    if (JSON.stringify(actual) !== JSON.stringify(expected)) {
      different.push({ input, actual, expected });
    }
  }
  expect(different.slice(0, 5)).toEqual([]);
  // Otherwise the comparison would say little.
  expect(accepted).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(10);
}

describe('subprotocol.parse', () => {
  const pieces = ['a', 'bc', ',', ' ', '\t', '"', ';', '=', '\x00', '\x7f', 'é', '!', '/'];

  test('agrees with ws on every short text', () => {
    compare(subprotocol.parse, ws.subprotocol.parse, combinations(pieces, 4));
  });

  test('agrees with ws on random texts', () => {
    const likely = ['a', 'b', 'c', 'd', 'e', 'f', ', ', ',', ',', ' ', '\t', '@'];
    compare(subprotocol.parse, ws.subprotocol.parse, randomTexts(likely, 20000));
  });

  test('takes every token character and no other', () => {
    for (let code = 0; code < 256; code++) {
      const text = `x${String.fromCharCode(code)}y`;
      expect([code, outcome(subprotocol.parse, text)]).toEqual([
        code,
        outcome(ws.subprotocol.parse, text)
      ]);
    }
  });
});

describe('extension.parse', () => {
  const pieces = ['a', 'b', ',', ';', '=', '"', ' ', '\t', '\\', '1', '\x00', 'é'];

  test('agrees with ws on every short text', () => {
    compare(extension.parse, ws.extension.parse, combinations(pieces, 4));
  });

  test('agrees with ws on random texts', () => {
    const likely = ['a', 'b', 'foo', ', ', '; ', ';', '=', '="', '"', '1', '\\', ' ', 'bar', '"x"'];
    compare(extension.parse, ws.extension.parse, randomTexts(likely, 40000));
  });

  test('agrees with ws on parameter names that objects have', () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString'];
    const inputs = names.flatMap((name) => [
      name,
      `a; ${name}`,
      `a; ${name}=1; ${name}=2`,
      `${name}; ${name}, ${name}`
    ]);
    for (const input of inputs) {
      expect(outcome(extension.parse, input)).toEqual(outcome(ws.extension.parse, input));
    }
  });

  test('takes every token character and no other', () => {
    for (let code = 0; code < 256; code++) {
      for (const text of [`x${String.fromCharCode(code)}y`, `x;a="${String.fromCharCode(code)}"`]) {
        expect([text, outcome(extension.parse, text)]).toEqual([
          text,
          outcome(ws.extension.parse, text)
        ]);
      }
    }
  });
});

test('extension.format agrees with ws', () => {
  const inputs = [
    {},
    { a: [{}] },
    { a: {} },
    { a: [{ b: [true] }] },
    { a: [{ b: true }] },
    { a: [{ b: ['1', true, '2'] }, { c: 'x' }], d: [{}] },
    { a: { b: 1, c: 0, d: '' } },
    { a: [{ b: [true], c: ['10'] }] },
    extension.parse('a; b, a; c=2; c="3", d')
  ];
  for (const input of inputs) {
    expect(extension.format(input)).toBe(ws.extension.format(input));
  }
  expect(extension.format(inputs[inputs.length - 1])).toBe('a; b, a; c=2; c=3, d');
});
