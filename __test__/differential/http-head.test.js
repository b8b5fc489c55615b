// Request heads as Node's parser takes them: many that are almost right, in any
// chunking, given to http.createServer and to the native listener.
//
// HEADS and SEED (environment) make a longer run, or another one.

'use strict';

const { Heads } = require('../support/http-heads');
const { NodeSide, OurSide } = require('../support/http-parsers');

const COUNT = Number(process.env.HEADS) || 100000;
const SEED = Number(process.env.SEED) || 1;

const printable = ({ chunks, ends }) => ({
  chunks: chunks.map((chunk) => chunk.toString('latin1')),
  ends
});

test(
  `${COUNT} heads that are almost right`,
  async () => {
    const heads = new Heads(SEED);
    const [node, ours] = [new NodeSide(), new OurSide()];
    const seen = { upgrades: 0, answers: 0, refusals: 0 };
    for (let count = 0; count < COUNT; count++) {
      const request = heads.next();
      const expected = await node.play(request);
      const got = await ours.play(request);
      if (JSON.stringify(got) !== JSON.stringify(expected)) {
        expect({ count, ...printable(request), ...got }).toEqual({
          count,
          ...printable(request),
          ...expected
        });
      }
      if (got.upgrade !== null) seen.upgrades++;
      if (got.answers.some((answer) => answer.includes('426'))) seen.answers++;
      if (got.answers.some((answer) => answer.includes(' 400 '))) seen.refusals++;
    }
    // The mutations leave enough of every kind.
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(COUNT / 50);
  },
  60000 + COUNT
);
