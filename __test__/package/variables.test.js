'use strict';

const { VARIABLES, findMistakes } = require('../../lib/loading/variables');
const { ROOT, requireIn } = require('./staged');

test.each([
  [{}],
  [{ FERROWS_TRANSPORT: 'stream', FERROWS_IO: 'inline', FERROWS_IO_THREADS: '4' }],
  [{ FERROWS_IO: 'worker' }],
  [{ FERROWS_IO: 'auto' }],
  // Empty is unset.
  [{ FERROWS_TRANSPORT: '', FERROWS_IO: '', FERROWS_IO_THREADS: '', FERROWS_NATIVE_PATH: '' }],
  // What an orchestrator sets for a service of this name.
  [{ FERROWS_SERVICE_HOST: '10.0.0.1', FERROWS_PORT: 'tcp://10.0.0.1:80', FERROWS: 'x' }]
])('%j is fine', (env) => {
  expect(findMistakes(env)).toEqual([]);
});

test.each([
  ['FERROWS_TRANSPORT', 'streams', 'FERROWS_TRANSPORT=streams is ignored: "stream" is expected.'],
  ['FERROWS_TRANSPORT', 'Stream', '"stream" is expected'],
  ['FERROWS_IO', 'workers', '"inline" or "worker" or "auto" is expected'],
  ['FERROWS_IO_THREADS', '0', 'a positive integer is expected'],
  ['FERROWS_IO_THREADS', '-1', 'a positive integer is expected'],
  ['FERROWS_IO_THREADS', '1.5', 'a positive integer is expected'],
  ['FERROWS_IO_THREADS', 'four', 'a positive integer is expected'],
  ['FERROWS_IO_THREADS', '99999999999999999999', 'a positive integer is expected'],
  ['FERROWS_IO_THREAD', '2', 'FERROWS_IO_THREADS may be meant'],
  ['FERROWS_TRANSPROT', 'stream', 'FERROWS_TRANSPORT may be meant'],
  ['FERROWS_NATIVE_PAHT', '/x', 'FERROWS_NATIVE_PATH may be meant']
])('%s=%s is not', (name, value, text) => {
  const mistakes = findMistakes({ [name]: value });
  expect(mistakes).toHaveLength(1);
  expect(mistakes[0]).toContain(text);
});

test('the known variables', () => {
  const known = ['FERROWS_IO', 'FERROWS_IO_THREADS', 'FERROWS_NATIVE_PATH', 'FERROWS_TRANSPORT'];
  expect(Object.keys(VARIABLES)).toEqual(known);
});

test('a process warns once, whatever its registries and worker threads', () => {
  const before = `
    const { Worker, isMainThread } = require('worker_threads');
    const root = ${JSON.stringify(ROOT)};
    require(root);
    for (const file of Object.keys(require.cache)) {
      if (!file.endsWith('.node')) delete require.cache[file];
    }
    new Worker('require(' + JSON.stringify(root) + ')', { eval: true });`;
  const env = { FERROWS_IO_THREADS: 'many' };
  const { loaded, warnings } = requireIn(ROOT, { what: ROOT, before, env });
  expect(loaded).toBe(true);
  expect(warnings.match(/FerrowsWarning/g)).toHaveLength(1);
  expect(warnings).toContain('[FERROWS_VARIABLE] FerrowsWarning: FERROWS_IO_THREADS=many');
});
