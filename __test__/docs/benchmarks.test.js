'use strict';

// The README's table and chart are what the stored results say.

const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawnSync } = require('child_process');

const scenarios = require('../../bench/scenarios');
const { COLOURS, chart } = require('../../bench/chart');
const { CHART, PUBLISHED, join, publication, publish } = require('../../bench/publish');
const { section } = require('../../bench/section');
const { ROOT } = require('./blocks');

const read = (file) => fs.readFileSync(path.join(ROOT, file), 'utf8');

describe('what is published', () => {
  const results = JSON.parse(read(PUBLISHED));

  test('the table and the chart of the README are those of the stored results', () => {
    const made = publication(results, read('README.md'));
    expect(read('README.md')).toBe(made.readme);
    expect(read(CHART)).toBe(made.chart);
  });

  test('every scenario of the comparison is there', () => {
    // Those for one CPU need a second one for the load.
    const names = scenarios
      .filter(({ oneCpu }) => !oneCpu || results.conditions.cpus > 1)
      .map(({ name }) => name);
    expect(Object.keys(results.scenarios)).toEqual(names);
  });

  test('the sentences about it name scenarios that exist', () => {
    const [, text] = /^## When not to expect a gain$([^]*?)^## /m.exec(read('README.md'));
    const named = [...text.matchAll(/\(row "([^"]+)"\)/g)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(2);
    expect(named.filter((name) => !(name in results.scenarios))).toEqual([]);
  });
});

const conditions = {
  node: '20.1.2',
  ws: '8.23.4',
  masking: 'bufferutil where installed',
  cpus: 3,
  repeat: 5,
  seconds: 7,
  warmup: 2
};
const measured = (perSecond, allMicros, p99) => ({ perSecond, allMicros, p99 });
const made = {
  conditions,
  scenarios: {
    '1 connection, ping-pong': {
      ws: measured(1234567.4, 123.4, 1000.4),
      ferrows: measured(2469134.8, 9.876, 99.6)
    },
    'paced, 1000 connections, 1000/s': {
      ws: measured(1000, 20, 30),
      ferrows: measured(1000, 10, 30)
    },
    '5000 clients in one process': {
      ws: { perSecond: 400, residentEach: 10.04 },
      ferrows: { perSecond: 100, residentEach: 15.06 }
    },
    '8000 idle connections': {
      ws: { perSecond: 0, residentEach: 8 },
      ferrows: { perSecond: 0, residentEach: 2 }
    }
  }
};

describe('the table', () => {
  const text = section(made);
  const rows = text.split('\n').filter((line) => line.startsWith('|'));

  test('says what was measured, with units', () => {
    const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()));
    expect(cells.slice(2).map((row) => row.slice(1, -1))).toEqual([
      [
        '1 connection, ping-pong',
        '1 234 567 /s',
        '2 469 135 /s',
        '2.00x',
        '123 → 9.88 µs',
        '1 000 → 100 µs'
      ],
      [
        'paced, 1000 connections, 1000/s',
        '1 000 /s',
        '1 000 /s',
        '1.00x',
        '20.0 → 10.0 µs',
        '30 → 30 µs'
      ],
      ['5000 clients in one process', '400 /s', '100 /s', '0.25x', '', ''],
      ['8000 idle connections', '8.0 KiB each', '2.0 KiB each', '0.25x', '', '']
    ]);
    expect(new Set(rows.map((row) => row.length)).size).toBe(1);
  });

  test('says what it was measured on', () => {
    for (const part of [
      'Node 20.1.2',
      'ws 8.23.4',
      '3 CPUs',
      '--repeat 5 --seconds 7 --warmup 2`',
      'A client takes 15.1 KiB, with ws 10.0 KiB.'
    ]) {
      expect(text).toContain(part);
    }
  });
});

describe('the chart', () => {
  const results = { ...made.scenarios, 'a <b> & c': made.scenarios['1 connection, ping-pong'] };
  const svg = chart(results);

  test('has a bar and a value for each scenario, as long as the ratio is', () => {
    const widths = [...svg.matchAll(/class="bar"[^>]* width="([\d.]+)"/g)].map(([, width]) =>
      Number(width)
    );
    // All but that without a rate.
    expect(widths).toHaveLength(4);
    expect(widths[0] / widths[1]).toBeCloseTo(2, 1);
    expect(widths[2] / widths[1]).toBeCloseTo(0.25, 1);
    for (const value of ['>2.00×<', '>1.00×<', '>0.25×<']) expect(svg).toContain(value);
  });

  test('has an axis with marks, and the one of ws is at 1', () => {
    const places = [...svg.matchAll(/x1="([\d.]+)"/g)].map(([, x]) => Number(x));
    expect(places.length).toBeGreaterThan(3);
    const [, one] = /class="one" x1="([\d.]+)"/.exec(svg);
    const [, left, width] = /class="bar" x="([\d.]+)" y="[\d.]+" width="([\d.]+)"/.exec(svg);
    expect(Number(one) - Number(left)).toBeCloseTo(Number(width) / 2, 0);
  });

  test.each([1, 3, 23, 400])('and neither few nor many, up to %d', (most) => {
    const up = chart({ x: { ws: measured(1, 1, 1), ferrows: measured(most, 1, 1) } });
    const labels = [...up.matchAll(/text-anchor="middle">([\d.]+)×</g)].map(([, text]) => text);
    expect(labels).toContain('1');
    expect(up).toContain('class="one"');
    expect(new Set(labels).size).toBe(labels.length);
    expect(labels.length).toBeLessThanOrEqual(9);
  });

  test('is well-formed, whatever the names are', () => {
    expect(svg).toContain('a &#60;b&#62; &#38; c');
    const open = [];
    for (const [, end, name, empty] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
      if (end) expect(open.pop()).toBe(name);
      else if (!empty) open.push(name);
    }
    expect(open).toEqual([]);
  });

  test('all texts are inside', () => {
    const [, width] = /viewBox="0 0 (\d+) /.exec(svg);
    const ends = [...svg.matchAll(/<text x="([\d.]+)"[^>]*>([^<]*)</g)];
    const right = ends.filter(([text]) => !text.includes('text-anchor'));
    for (const [, x, text] of right) {
      expect(Number(x) + text.length * 8).toBeLessThanOrEqual(Number(width));
    }
    // To the left of the bars.
    const longest = Math.max(...scenarios.map(({ name }) => name.length));
    const [, left] = /class="bar" x="([\d.]+)"/.exec(svg);
    expect(longest * 7.5).toBeLessThan(Number(left) - 10);
  });

  test.each(Object.keys(COLOURS))('can be read on %s pages', (scheme) => {
    const { page, text, line, bar } = COLOURS[scheme];
    expect(contrast(text, page)).toBeGreaterThan(7);
    expect(contrast(bar, page)).toBeGreaterThan(3);
    expect(contrast(line, page)).toBeGreaterThan(3);
    for (const colour of [page, text, line, bar]) expect(svg).toContain(colour);
  });
});

/** WCAG 2.2, contrast ratio. */
function contrast(one, other) {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

describe('npm run bench:publish', () => {
  let folder;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-publish-'));
    for (const name of ['bench', 'docs']) fs.mkdirSync(path.join(folder, name));
    fs.writeFileSync(path.join(folder, 'README.md'), read('README.md'));
  });

  afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

  function written(...parts) {
    return parts.map((part, index) => {
      const file = path.join(folder, `${index}.json`);
      fs.writeFileSync(file, JSON.stringify(part));
      return file;
    });
  }

  test('joins the parts, and writes what the test above compares', () => {
    const names = Object.keys(made.scenarios);
    const part = (...chosen) => ({
      conditions,
      scenarios: Object.fromEntries(chosen.map((name) => [name, made.scenarios[name]]))
    });
    publish(written(part(names[2], names[0]), part(names[3], names[1])), folder);
    const stored = JSON.parse(fs.readFileSync(path.join(folder, PUBLISHED), 'utf8'));
    expect(stored).toEqual(made);
    expect(Object.keys(stored.scenarios)).toEqual(names);
    const readme = fs.readFileSync(path.join(folder, 'README.md'), 'utf8');
    expect(readme).toContain('| 1 234 567 /s ');
    // What stands around it is as before.
    const around = (text) => text.replace(/^<!-- bench:start[^]*^<!-- bench:end/m, '');
    expect(around(readme)).toBe(around(read('README.md')));
    const svg = fs.readFileSync(path.join(folder, CHART), 'utf8');
    expect(svg).toContain('>2.00×<');
    expect(svg).not.toContain('paced');
    // Once more changes nothing.
    publish([path.join(folder, PUBLISHED)], folder);
    expect(fs.readFileSync(path.join(folder, 'README.md'), 'utf8')).toBe(readme);
  });

  test('refuses what cannot be compared', () => {
    const other = { ...made, conditions: { ...conditions, seconds: 1 } };
    expect(() => join([made, other])).toThrow('Not measured alike');
    const name = '64 connections';
    const alone = { conditions, scenarios: { [name]: { ws: measured(1, 1, 1) } } };
    expect(() => join([alone])).toThrow(`"${name}" lacks ws or ferrows`);
    const unknown = { conditions, scenarios: { x: made.scenarios['8000 idle connections'] } };
    expect(() => join([unknown])).toThrow('There is no scenario "x"');
  });

  test.each([
    [[], 'A file is needed.'],
    [['/nowhere.json'], 'ENOENT']
  ])('with %j ends with an error', (args, text) => {
    const program = path.join(ROOT, 'bench', 'publish.js');
    const { status, stderr } = spawnSync(process.execPath, [program, ...args], {
      encoding: 'utf8'
    });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(text) });
  });
});
