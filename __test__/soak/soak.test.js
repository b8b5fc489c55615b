// The soak notices what it is there for: losses, changes, leftovers, growth.

'use strict';

const path = require('path');
const { execFile } = require('child_process');

const { findGrowth, findRemains } = require('../../soak/flatness');
const { Ledger } = require('../../soak/ledger');
const { parse } = require('../../soak/options');

const RUN = path.join(__dirname, '..', '..', 'soak', 'run.js');
const MIB = 1 << 20;
const [LIMIT, TEST_LIMIT] = [150000, 160000];

function soak(...args) {
  return new Promise((resolve) => {
    const options = { timeout: LIMIT, killSignal: 'SIGKILL' };
    execFile(process.execPath, [RUN, ...args], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : error.code, out, err });
    });
  });
}

const SHORT = ['--minutes', '0.05', '--seed', '7'];

test(
  'nothing is wrong with every kind of peer',
  async () => {
    const { code, out, err } = await soak(...SHORT);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('0 discrepancies');
  },
  TEST_LIMIT
);

test.each([
  ['lose', /differs|not done after/],
  ['alter', /echo \d+ differs/],
  ['leak', /server: \d+ WebSockets remain/],
  ['silence', /not done after|connections remain/]
])(
  'a server that misbehaves is noticed: %s',
  async (fault, expected) => {
    const { code, err } = await soak(...SHORT, '--patience', '8', '--fault', fault);
    expect(code).toBe(1);
    expect(err).toMatch(expected);
  },
  TEST_LIMIT
);

describe('growth', () => {
  const flat = { rss: 100 * MIB, heap: MIB, external: MIB, fds: 20, threads: 5, handles: { A: 1 } };
  const series = (last, count) => [...Array(count - 1).fill(flat), { ...flat, ...last }];

  test.each([
    [{}, []],
    [{ fds: 28 }, []],
    [{ fds: 29 }, ['it: fds grew from 20 to 29']],
    [{ threads: 14 }, ['it: threads grew from 5 to 14']],
    [{ handles: { A: 4, B: 2 } }, ['it: handles of A grew from 1 to 4']],
    [{ heap: 10 * MIB }, ['it: heap grew from 1 MiB to 10 MiB']],
    [{ external: 34 * MIB }, ['it: external grew from 1 MiB to 34 MiB']],
    [{ rss: 328 * MIB }, []],
    [{ rss: 329 * MIB }, ['it: RSS grew from 100 MiB to 329 MiB']]
  ])('%j', (last, expected) => {
    expect(findGrowth('it', series(last, 2))).toEqual(expected);
  });

  test('of RSS is judged more strictly after many checkpoints, and by its lowest', () => {
    const grown = { ...flat, rss: 158 * MIB };
    const rest = Array(8).fill(grown);
    expect(findGrowth('it', [...Array(4).fill(flat), ...rest])).toEqual([
      'it: RSS grew from 100 MiB to 158 MiB'
    ]);
    expect(findGrowth('it', [...Array(4).fill(flat), ...rest.slice(1), flat])).toEqual([]);
  });

  test('remains are told', () => {
    expect(findRemains('it', { remains: { clients: 0, sockets: 2 } })).toEqual([
      'it: 2 sockets remain'
    ]);
  });
});

describe('books', () => {
  beforeEach(() => jest.spyOn(console, 'error').mockImplementation(() => {}));
  afterEach(() => jest.restoreAllMocks());

  test('an account is compared, whoever comes first', async () => {
    const ledger = new Ledger();
    ledger.onAccount({ id: 'a', received: 3 });
    await ledger.expectAccount('a', { received: 3 });
    const later = ledger.expectAccount('b', { received: (count) => count > 3 });
    ledger.onAccount({ id: 'b', received: 3 });
    await expect(later).rejects.toThrow("the server's received is 3");
    ledger.closeBooks();
    expect(ledger.discrepancies).toEqual([]);
  });

  test('two accounts, and one that nobody knows', () => {
    const ledger = new Ledger();
    ledger.onAccount({ id: 'a' });
    ledger.onAccount({ id: 'a' });
    ledger.closeBooks();
    expect(ledger.discrepancies).toEqual(['a: two accounts', 'a: nobody knows this connection']);
  });
});

test.each([
  [['--minutes', '0'], '--minutes must be a number above 0'],
  [['--io', 'both'], '--io both: one of auto, inline, worker'],
  [['--fault', 'x'], '--fault x: one of none, lose'],
  [['--other'], "Unknown option '--other'"]
])('arguments that cannot be used: %j', (args, message) => {
  expect(() => parse(args)).toThrow(message);
});
