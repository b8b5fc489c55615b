// Programs that run in a process of their own.

'use strict';

const path = require('path');
const { spawn } = require('child_process');

// A program that hangs ends before the test that waits for it does.
const LIMIT = 50000;

const ROOT = path.join(__dirname, '..', '..');

/**
 * Runs a script in a fresh process; `WebSocket` is defined in it.
 *
 * @param {String} script
 * @param {String[]} [args] Its process.argv from index 1 on
 * @param {Object} [env] Environment variables to add
 * @param {Number} [limit] When it is killed, in milliseconds
 * @return {{child: ChildProcess, ended: Promise<{code: Number, signal: String, out: String,
 *     err: String}>}}
 */
function run(script, args = [], env = {}, limit = LIMIT) {
  const source = `const WebSocket = require(${JSON.stringify(ROOT)});\n${script}`;
  const child = spawn(process.execPath, ['-e', source, '--', ...args], {
    env: { ...process.env, ...env }
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), limit);
  const output = { out: '', err: '' };
  child.stdout.on('data', (data) => (output.out += data));
  child.stderr.on('data', (data) => (output.err += data));
  const ended = new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...output });
    });
  });
  return { child, ended };
}

module.exports = { ROOT, run };
