// Installs Debian's Chromium for the browser test where that is possible. The
// test is skipped, saying so, where there is none.

'use strict';

const { existsSync } = require('fs');

const { run } = require('./run');

const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

function setUp() {
  if (process.env.CHROMIUM_PATH || BROWSERS.some(existsSync)) {
    console.log('A browser is installed.');
    return;
  }
  const isRoot = process.getuid && process.getuid() === 0;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) {
    console.log('No Chromium, and no apt-get as root to install it: the browser test is skipped.');
    return;
  }
  console.log('Installing Chromium for the browser test …');
  const installed =
    run('apt-get', ['update', '-q']) &&
    run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'chromium']);
  if (!installed) console.log('Chromium could not be installed: the browser test is skipped.');
}

setUp();
