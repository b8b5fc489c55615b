// npm start: sets up, builds and runs the demo.

'use strict';

const path = require('path');
const { spawn } = require('child_process');

const { ROOT, installPackages, requireTools, run } = require('./run');

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
