// What suites with engines and processes begin with: each test's are gone after it.

'use strict';

const { Engine, withEngine } = require('./engines');
const { ServerProcess } = require('./backbone-process');

/** To be called in a test file. @return {Object} What starts things that end with the test */
function suite() {
  let cleanups = [];

  afterEach(async () => {
    for (const cleanup of cleanups.reverse()) await cleanup();
    cleanups = [];
  });

  return {
    /** Defines a test that needs an engine. */
    withEngine(name, title, body) {
      const { test: run, title: full } = withEngine(name, title);
      run(full, body);
    },

    cleanup: (action) => cleanups.push(action),

    async startEngine(name, options) {
      const engine = new Engine(name, options);
      cleanups.push(() => engine.remove());
      return engine.start();
    },

    /** Waits for its connection, unless `connected` is false. */
    async startServer(backbone, settings) {
      const server = await ServerProcess.start({ backbone }, settings);
      cleanups.push(() => server.end());
      return server;
    }
  };
}

module.exports = { suite };
