'use strict';

const binding = require('../../lib/binding');
const bridge = require('../../lib/bridge');
const { violationError } = require('../../lib/errors');
const { settingsFor } = require('../../lib/settings');

const { layout } = bridge;

/** The names of a group with their values. */
const group = (prefix) => Object.entries(layout).filter(([name]) => name.startsWith(prefix));

describe('the layout that Rust exports', () => {
  test('names nothing twice', () => {
    const names = binding.constants().map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(40);
  });

  test.each(['EVENT_', 'COMMAND_'])('%s numbers differ and fit in a byte', (prefix) => {
    const values = group(prefix).map(([, value]) => value);
    expect(values.length).toBeGreaterThan(8);
    expect(new Set(values).size).toBe(values.length);
    expect(values.every((value) => value > 0 && value < 256)).toBe(true);
  });

  test('flags are single bits of a byte', () => {
    const values = group('FLAG_').map(([, value]) => value);
    expect(values.every((value) => value > 0 && value < 256 && (value & (value - 1)) === 0)).toBe(
      true
    );
    // FLAG_BINARY and FLAG_FIN belong to different directions, only these share records.
    const { FLAG_ACK, FLAG_BLOCK, FLAG_FIN, FLAG_MASK } = layout;
    expect(new Set([FLAG_ACK, FLAG_BLOCK, FLAG_FIN, FLAG_MASK]).size).toBe(4);
    expect(layout.FLAG_BINARY).not.toBe(FLAG_BLOCK);
  });

  test('sizes fit each other', () => {
    expect(layout.RECORD_BYTES).toBe(layout.RECORD_WORDS * 4);
    expect(layout.INLINE_LIMIT).toBeLessThanOrEqual(layout.LANDING_BYTES);
    // A record may be begun just below the limit and still be written whole.
    expect(
      layout.OUTBOX_SUBMIT_BYTES + layout.RECORD_BYTES + layout.OUTBOX_INLINE_LIMIT + 3
    ).toBeLessThanOrEqual(layout.OUTBOX_SLAB_BYTES);
    const status = group('STATUS_').filter(([name]) => name !== 'STATUS_WORDS');
    const words = status.map(([, value]) => value);
    expect(new Set(words).size).toBe(words.length);
    expect(Math.max(...words)).toBeLessThan(layout.STATUS_WORDS);
  });
});

test('every violation makes an error', () => {
  const entries = binding.violations();
  expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
  for (const { id, code, text, closeCode, errno, isRangeError } of entries) {
    const error = violationError(id, 7);
    expect(error.code).toBe(code);
    expect(code).toMatch(/^(WS_ERR_[A-Z0-9_]+|Z_DATA_ERROR)$/);
    expect(error.errno).toBe(errno);
    expect(error.message).toBe(text.replace('%d', '7'));
    expect(error.name).toBe(isRangeError ? 'RangeError' : 'Error');
    expect([1002, 1007, 1008, 1009]).toContain(closeCode);
  }
});

describe('settings', () => {
  test.each([
    ['as given', 1000, 1000],
    ['zero', 0, 0],
    ['negative', -1, 0],
    ['undefined', undefined, 0],
    ['infinite', Infinity, 0],
    ['2^31', 2 ** 31, 0],
    ['2^32 + 10', 2 ** 32 + 10, 10],
    ['a fraction', 10.9, 10]
  ])('limits are 32-bit numbers: %s', (name, given, expected) => {
    const words = settingsFor(
      { maxPayload: given, maxFragments: given, maxBufferedChunks: given },
      true
    );
    expect(words).toHaveLength(layout.SETTINGS_WORDS);
    expect(words[layout.SETTINGS_MAX_PAYLOAD]).toBe(expected);
    expect(words[layout.SETTINGS_MAX_FRAGMENTS]).toBe(expected);
    expect(words[layout.SETTINGS_MAX_BUFFERED_CHUNKS]).toBe(expected);
  });

  test('flags', () => {
    const flags = (options, isServer) => settingsFor(options, isServer)[layout.SETTINGS_FLAGS];
    expect(flags({}, true)).toBe(0);
    expect(flags({}, false)).toBe(layout.SETTINGS_CLIENT);
    expect(flags({ skipUTF8Validation: true }, true)).toBe(layout.SETTINGS_SKIP_UTF8_VALIDATION);
  });
});

test('acceptKey is that of RFC 6455, section 1.3', () => {
  expect(bridge.acceptKey('dGhlIHNhbXBsZSBub25jZQ==')).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
});
