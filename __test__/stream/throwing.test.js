// A listener that throws costs its own event at most and never makes errors by itself.
// ws goes deaf instead (COMPAT.md).

'use strict';

const path = require('path');

const { ROOT, run } = require('../support/children');

const PROGRAM = path.join(__dirname, 'throwing-program.js');

async function casesOf(library, patience) {
  const script = `
    process.argv.splice(1, process.argv.length, '', ${JSON.stringify(library)}, '${patience}');
    require(${JSON.stringify(PROGRAM)});`;
  const { out, err, code } = await run(script).ended;
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

test('in 1440 situations, beside ws', async () => {
  const [ours, theirs] = await Promise.all([
    casesOf(ROOT, 40000),
    casesOf(path.dirname(require.resolve('ws')), 500)
  ]);
  const names = Object.keys(theirs);
  expect(Object.keys(ours)).toEqual(names);
  expect(names).toHaveLength(1440);
  const wrong = names.filter((name) => {
    const [mine, original] = [ours[name], theirs[name]];
    const [event, , count] = name.split(' ');
    const frames = event === 'close' || event === 'error' ? 'message' : event;
    const got = mine.saw.filter((text) => text.startsWith(frames));
    const isPrefix = original.saw.every((text, index) => text === mine.saw[index]);
    const isWhole = got.length === Number(count) && mine.saw.includes('close');
    return !isPrefix || !isWhole || mine.uncaught !== mine.threw || mine.threw === 0;
  });
  const show = (cases) => wrong.slice(0, 5).map((name) => [name, cases[name]]);
  expect(show(ours)).toEqual(show(theirs).slice(0, 0));
}, 120000);
