'use strict';

// The table of SECURITY.md is what the stored results say, and what it says of tests is true.

const fs = require('fs');
const os = require('os');
const path = require('path');

const scenarios = require('../../bench/attacks/scenarios');
const { section } = require('../../bench/attacks/section');
const { PUBLISHED_ATTACKS, join, publicationOfAttacks, publish } = require('../../bench/publish');
const { ROOT } = require('./blocks');

const read = (file) => fs.readFileSync(path.join(ROOT, file), 'utf8');
const document = read('SECURITY.md');
const results = JSON.parse(read(PUBLISHED_ATTACKS));

describe('SECURITY.md', () => {
  test('has the table of the stored results', () => {
    expect(document).toBe(publicationOfAttacks(results, document));
  });

  test('has every attack', () => {
    expect(Object.keys(results.attacks)).toEqual(scenarios.map(({ name }) => name));
    for (const { ws, ferrows } of Object.values(results.attacks)) {
      expect([ws.late, ferrows.late]).toEqual([0, 0]);
    }
  });

  test('names tests that exist', () => {
    const [, promises] = /^## What is promised$([^]*?)^### /m.exec(document);
    const named = [...promises.matchAll(/`((?:__test__|src|tests)\/[^`]+)`/g)];
    const files = named.map(([, file]) => file);
    expect(files.length).toBeGreaterThan(10);
    expect(files.filter((file) => !fs.existsSync(path.join(ROOT, file)))).toEqual([]);
  });

  test('has a test or a row of the table for each promise', () => {
    const [, promises] = /^## What is promised$([^]*?)^### /m.exec(document);
    const each = promises.split(/^- /m).slice(1);
    expect(each.length).toBeGreaterThan(8);
    const proof = /`(__test__|src|tests)\/|\brows? "|`npm test -- --only/;
    expect(each.filter((text) => !proof.test(text))).toEqual([]);
    const rows = [...promises.matchAll(/"([^"]+)"/g)].map(([, name]) => name.replace(/\s+/g, ' '));
    const titles = scenarios.map(({ title }) => title);
    expect(rows.length).toBeGreaterThan(4);
    expect(rows.filter((name) => !titles.includes(name))).toEqual([]);
  });
});

describe('the table', () => {
  const measured = (peak, max) => ({
    before: 50,
    peak,
    above: peak - 50,
    afterwards: 60,
    blocked: 4,
    p99: 1.25,
    max
  });
  const [{ name, title, wanted }] = scenarios;
  const made = {
    conditions: { node: '20.1.2', ws: '8.23.4', cpus: 3, io: 'auto', repeat: 5 },
    attacks: { [name]: { ws: measured(1000, 300.4), ferrows: measured(wanted.peak + 1.26, 20) } }
  };

  test('says what was measured, and what is missed', () => {
    const rows = section(made)
      .split('\n')
      .filter((line) => line.startsWith('|'));
    const cells = rows[2].split('|').map((cell) => cell.trim());
    expect(cells.slice(1, -1)).toEqual([
      title,
      `1000 → ${wanted.peak + 1}`,
      '60 → 60',
      '1.3 → 1.3',
      '300 → 20',
      `${wanted.peak} MiB (**${wanted.peak + 1}.3**), ${wanted.max} ms`
    ]);
    expect(new Set(rows.map((row) => row.length)).size).toBe(1);
  });

  test('says on what', () => {
    for (const part of ['ws 8.23.4', 'FERROWS_IO=auto', 'Node 20.1.2', '3 CPUs', '--repeat 5']) {
      expect(section(made)).toContain(part);
    }
  });

  test('is written by npm run bench:publish', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-publish-'));
    try {
      fs.mkdirSync(path.join(folder, 'bench', 'attacks'), { recursive: true });
      fs.writeFileSync(path.join(folder, 'SECURITY.md'), document);
      fs.writeFileSync(path.join(folder, 'made.json'), JSON.stringify(made));
      publish([path.join(folder, 'made.json')], folder);
      expect(JSON.parse(fs.readFileSync(path.join(folder, PUBLISHED_ATTACKS), 'utf8'))).toEqual(
        made
      );
      const text = fs.readFileSync(path.join(folder, 'SECURITY.md'), 'utf8');
      expect(text).toContain(`**${wanted.peak + 1}.3**`);
      const around = (all) => all.replace(/^<!-- bench:start[^]*^<!-- bench:end/m, '');
      expect(around(text)).toBe(around(document));
    } finally {
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });

  test('is not made of what cannot be compared', () => {
    const alone = { ...made, attacks: { [name]: { ws: measured(1, 1) } } };
    expect(() => join([alone], 'attacks', scenarios)).toThrow(`"${name}" lacks ws or ferrows`);
    expect(() => publicationOfAttacks(made, '# Security\n')).toThrow('SECURITY.md does not say');
  });
});
