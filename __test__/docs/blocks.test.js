'use strict';

// Every block of code in README.md and docs/ runs. Programs that serve are named, and talked to by
// the check of that name in checks.js; the others must end by themselves, with exit code 0.

const fs = require('fs');
const path = require('path');

const { BLOCKS, PAGES, ROOT } = require('./blocks');
const { CHECKS } = require('./checks');
const { CONFIGURATIONS, PROGRAM } = require('./nginx');
const { hindrance, start } = require('./program');
const { scripts } = require('../../package.json');

const at = ({ page, line, name }) => `${page}:${line}${name ? ` (${name})` : ''}`;
const of = (...languages) => BLOCKS.filter(({ language }) => languages.includes(language));

test('every block is in a language that is run, every name has its check', () => {
  const known = ['js', 'ts', 'sh', 'json', 'yaml', 'nginx', 'text'];
  expect(BLOCKS.filter(({ language }) => !known.includes(language)).map(at)).toEqual([]);
  const programs = of('js', 'ts').flatMap(({ name }) => (name === null ? [] : [name]));
  expect(programs.sort()).toEqual(Object.keys(CHECKS).sort());
  const configurations = of('nginx').map(({ name }) => name);
  expect(configurations.sort()).toEqual(Object.keys(CONFIGURATIONS).sort());
});

describe('programs', () => {
  for (const block of of('js', 'ts')) {
    const why = hindrance(block.code, CHECKS[block.name]?.needs);
    const title = at(block);
    if (why !== null) {
      test.skip(`${title} (skipped, ${why})`, () => {});
    } else if (block.name === null) {
      test(`${title} ends by itself`, async () => {
        const program = await start(block);
        try {
          expect(await program.ended).toMatchObject({ status: 0, output: expect.any(String) });
        } finally {
          await program.stop();
        }
      });
    } else {
      test(title, async () => {
        const { check, replaced } = CHECKS[block.name];
        const program = await start(block, replaced);
        try {
          await program.listening();
          await check(program);
        } finally {
          await program.stop();
        }
      });
    }
  }
});

describe(`nginx configurations${PROGRAM ? '' : ' (skipped: nginx is not installed)'}`, () => {
  for (const block of of('nginx')) {
    (PROGRAM ? test : test.skip)(at(block), () => CONFIGURATIONS[block.name](block));
  }
});

describe('commands', () => {
  // Those of a clone. What installs something runs in package/installed/documented.installed.js.
  const lines = of('sh').flatMap((block) =>
    block.code
      .split('\n')
      .filter((line) => /^(?:npm (?:start|test|run)|node scripts)\b/.test(line))
      .map((line) => [line.replace(/\s+#.*/, ''), block])
  );

  test.each(lines)('%s exists', (line) => {
    const [, command, named] = /^(?:npm (start|test|run (\S+))|node scripts\S+)/.exec(line);
    if (command === undefined) {
      expect(fs.existsSync(path.join(ROOT, line.split(' ')[1]))).toBe(true);
      return;
    }
    expect(scripts).toHaveProperty([named || command]);
  });
});

test('JSON parses', () => {
  const blocks = of('json');
  for (const { code } of blocks) expect(() => JSON.parse(code)).not.toThrow();
});

describe('links', () => {
  const anchorsOf = (text) =>
    [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-')
    );

  test.each(PAGES)('of %s lead somewhere', (page) => {
    const text = fs.readFileSync(path.join(ROOT, page), 'utf8').replace(/^```[^]*?^```/gm, '');
    const broken = [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link)
      .filter((link) => {
        if (/^https?:/.test(link)) return false;
        const [file, anchor] = link.split('#');
        const target =
          file === '' ? path.join(ROOT, page) : path.join(ROOT, path.dirname(page), file);
        if (!fs.existsSync(target)) return true;
        return anchor !== undefined && !anchorsOf(fs.readFileSync(target, 'utf8')).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  test.each(PAGES)('%s is readable as text: no line of more than 120 characters', (page) => {
    const text = fs.readFileSync(path.join(ROOT, page), 'utf8');
    // The table's paragraph belongs to the benchmark.
    const written = text.replace(/^<!-- bench:start[^]*^<!-- bench:end/m, '');
    const long = written
      .split('\n')
      .filter((line) => line.length > 120 && !/^\||^\[|^!\[/.test(line));
    expect(long).toEqual([]);
  });
});
