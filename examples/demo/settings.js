// Where the demo listens: --port and --host, else PORT and HOST, else localhost:8080.
//
// Called by server.js. What cannot be meant is a sentence for the user.
// Tests: __test__/examples/demo.test.js.

'use strict';

const DEFAULTS = { host: 'localhost', port: '8080' };
const LARGEST_PORT = 65535;

/**
 * @param {String[]} args What follows the script's name
 * @param {Object} env As process.env
 * @return {{host: String, port: Number}}
 * @throws {Error} Its message is meant for the user
 */
function settings(args, env) {
  const texts = {
    host: env.HOST || DEFAULTS.host,
    port: env.PORT || DEFAULTS.port
  };
  const rest = [...args];
  while (rest.length > 0) {
    const [option, value] = rest.splice(0, 2);
    const name = option.replace(/^--/, '');
    if (option === name || !Object.hasOwn(texts, name) || !value) {
      throw new Error(`Usage: npm start -- [--port N] [--host NAME], not "${args.join(' ')}".`);
    }
    texts[name] = value;
  }
  const port = /^\d{1,5}$/.test(texts.port) ? Number(texts.port) : NaN;
  if (!(port <= LARGEST_PORT)) {
    throw new Error(`"${texts.port}" is no port: a number from 0 to ${LARGEST_PORT} is expected.`);
  }
  return { host: texts.host, port };
}

module.exports = settings;
