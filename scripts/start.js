// npm start: sets up, builds and runs the demo.

'use strict';

const path = require('path');
const { spawn } = require('child_process');

const settings = require('../examples/demo/settings');
const { ROOT, helpIfAsked, installPackages, requireTools, run, stop } = require('./run');

const HELP = `Usage: npm start -- [--port N] [--host NAME]

Sets up, builds, and serves a page that compares ferrows with ws, on http://localhost:8080 unless
the options or the variables PORT and HOST say otherwise.`;

helpIfAsked(HELP);
try {
  settings(process.argv.slice(2), process.env);
} catch (error) {
  stop(`${error.message}\n\n${HELP}`);
}
requireTools();
installPackages();
if (!run(process.execPath, [path.join('scripts', 'build.js')])) process.exit(1);

const server = path.join('examples', 'demo', 'server.js');
const demo = spawn(process.execPath, [server, ...process.argv.slice(2)], {
  cwd: ROOT,
  stdio: 'inherit'
});
// The terminal sends Ctrl-C to both processes; this one waits for the demo to finish.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => demo.kill('SIGTERM'));
demo.on('exit', (code) => process.exit(code === null ? 1 : code));
