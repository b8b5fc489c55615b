'use strict';

// docs/api.md says what index.d.ts declares and what the code does.

const fs = require('fs');
const path = require('path');

const WebSocket = require('../..');
const binding = require('../../lib/binding');
const Limits = require('../../lib/limits');
const { kOptions } = require('../../lib/constants');
const { readDrain } = require('../../lib/drain');
const { VARIABLES } = require('../../lib/loading/variables');

const ROOT = path.join(__dirname, '..', '..');
const TEXT = fs.readFileSync(path.join(ROOT, 'docs', 'api.md'), 'utf8');
const DECLARED = fs.readFileSync(path.join(ROOT, 'index.d.ts'), 'utf8');

// Node's own defaults, of options that are passed on.
const OF_NODE = ['createConnection', 'rejectUnauthorized'];
// What every EventEmitter has.
const EMITTER = ['on', 'once', 'off', 'addListener', 'removeListener'];
EMITTER.push('prependListener', 'prependOnceListener');

/** The members of each class and interface, whether each has a doc comment. */
function declarations() {
  const found = new Map();
  let members = null;
  let indent = '';
  let before = '';
  for (const line of DECLARED.split('\n')) {
    const opened = /^((?: {2})?)(?:declare )?(?:class|interface) (\w+)(?!.*\{\})/.exec(line);
    if (opened) {
      indent = `${opened[1]}  `;
      members = found.get(opened[2]) || new Map();
      found.set(opened[2], members);
    } else if (members !== null && line === `${indent.slice(2)}}`) {
      members = null;
    } else if (members !== null && line.startsWith(indent) && line[indent.length] !== ' ') {
      const member = /^(?:static |readonly )*'?([\w-]+)'?([?(<:])/.exec(line.slice(indent.length));
      const inherited = member && member[2] !== '?' && EMITTER.includes(member[1]);
      if (member && member[1] !== 'constructor' && !inherited) {
        members.set(member[1], members.get(member[1]) || /\*\/$/.test(before));
      }
    }
    before = line;
  }
  for (const [name, all] of found) if (all.size === 0) found.delete(name);
  return found;
}

/** The sections of the page: by heading, their items as [names, text]. */
function sections() {
  const found = new Map();
  for (const section of TEXT.split(/^##+ /m).slice(1)) {
    const [heading] = section.split('\n', 1);
    const items = [...section.matchAll(/^- ([^]*?)(?=^- |^\n(?!-)|$(?![^]))/gm)].map(([, item]) => {
      const [head] = item.split(' – ');
      const spans = [...head.matchAll(/`([^`]+)`/g)].map(([, span]) => span);
      return { names: spans.map((span) => /^(?:\w+\.)?([\w-]+)/.exec(span)[1]), item };
    });
    found.set(heading.replace(/^Class: /, ''), items);
  }
  return found;
}

const TYPES = declarations();
const SECTIONS = sections();
// In the declarations the class of servers has its old name.
const HEADING = { Server: 'WebSocketServer' };

test('the page has a section for each class and interface', () => {
  expect(TYPES.size).toBeGreaterThan(20);
  const headings = [...TYPES.keys()].map((name) => HEADING[name] || name);
  expect(headings.filter((heading) => !SECTIONS.has(heading))).toEqual([]);
});

test.each([...TYPES.keys()])('%s: the page and index.d.ts have the same members', (name) => {
  const items = SECTIONS.get(HEADING[name] || name) || [];
  const onPage = items.flatMap(({ names }) => names);
  expect(onPage.sort()).toEqual([...TYPES.get(name).keys()].sort());
});

test('every member in index.d.ts has a doc comment', () => {
  const bare = [];
  for (const [name, members] of TYPES) {
    for (const [member, commented] of members) if (!commented) bare.push(`${name}.${member}`);
  }
  expect(bare).toEqual([]);
});

test('what the module exports is on the page', () => {
  const section = TEXT.slice(TEXT.indexOf('## The module'), TEXT.indexOf('## Class'));
  const constants = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'];
  const names = Object.keys(WebSocket).filter((name) => !constants.includes(name));
  expect(names.length).toBeGreaterThan(8);
  expect(names.filter((name) => !new RegExp(`\`${name}[\`(]`).test(section))).toEqual([]);
});

/** Defaults that the page says, by option. */
function defaultsOf(...headings) {
  const found = {};
  for (const { names, item } of headings.flatMap((heading) => SECTIONS.get(heading))) {
    const stated = /Default:\s+`([^`]+)`/.exec(item);
    if (stated && !/Default:\s+`[^`]+`\s+for/.test(item)) found[names[0]] = stated[1];
  }
  return found;
}

const asText = (value) => (typeof value === 'function' ? value.name : String(value));

test.each([
  ['server', ['ServerOptions'], () => new WebSocket.Server({ noServer: true }).options],
  [
    'client',
    ['ClientOptions'],
    () => {
      const websocket = new WebSocket('ws://127.0.0.1:1');
      websocket.on('error', () => {});
      websocket.terminate();
      return websocket[kOptions];
    }
  ]
])('the defaults of a %s are those on the page', (_, headings, optionsOf) => {
  const actual = optionsOf();
  const stated = defaultsOf(...headings, 'ReceiveOptions', 'SocketOptions');
  for (const name of OF_NODE) delete stated[name];
  // Not the one that was asked for.
  if (headings[0] === 'ServerOptions') actual.noServer = false;
  const texts = Object.fromEntries(
    Object.entries(actual).map(([name, value]) => [name, asText(value)])
  );
  expect(Object.keys(stated).length).toBeGreaterThan(8);
  expect(stated).toEqual(texts);
});

test.each([
  ['HeartbeatOptions', () => new Limits({ heartbeat: {} }).heartbeat],
  ['InboundLimitOptions', () => new Limits({ inboundLimit: { messages: 1 } }).inboundLimit],
  ['DrainOptions', () => readDrain()]
])('the defaults of %s are those on the page', (heading, optionsOf) => {
  const stated = defaultsOf(heading);
  const actual = optionsOf();
  // The one that had to be given, and what follows from others.
  if (heading === 'InboundLimitOptions') actual.messages = actual.bytes;
  for (const name of ['reason', 'retryAfter']) {
    delete actual[name];
    delete stated[name];
  }
  const texts = Object.entries(actual).map(([name, value]) => [name, asText(value)]);
  expect(stated).toEqual(Object.fromEntries(texts));
});

test('the defaults in index.d.ts are those on the page', () => {
  const stated = (text) => /Default:\s+(?:\*\s+)?`?(\w+)`?/.exec(text)?.[1];
  const names = [...TYPES.keys()].filter((name) => /Options$/.test(name));
  let compared = 0;
  for (const name of names) {
    const body = DECLARED.split(new RegExp(`interface ${name}\\b`))[1].split('\n  }')[0];
    for (const { names: members, item } of SECTIONS.get(name)) {
      const [, comment] =
        new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s+'?${members[0]}'?[?(:]`).exec(body) || [];
      const [here, there] = [stated(item), stated(comment)];
      if (here === undefined || !/^(?:true|false|\d+)$/.test(here)) continue;
      expect([members[0], there]).toEqual([members[0], here]);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(20);
});

test('the codes of errors are those of the code, with their close codes', () => {
  const rows = [...TEXT.matchAll(/^\| `(\w+)` +\| (\d+) /gm)].map(([, code, close]) => [
    code,
    Number(close)
  ]);
  const actual = new Map(binding.violations().map(({ code, closeCode }) => [code, closeCode]));
  expect(rows.sort()).toEqual([...actual].sort());
});

test('the environment variables are those that are known', () => {
  const section = SECTIONS.get('Environment variables');
  expect(section.flatMap(({ names }) => names).sort()).toEqual(Object.keys(VARIABLES).sort());
});
