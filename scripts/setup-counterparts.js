// Installs the programs that some tests talk to, Chromium, nginx, Redis and NATS, where
// that is possible. Tests without theirs are skipped, saying so.

'use strict';

const { existsSync } = require('fs');

const { run } = require('./run');

const COUNTERPARTS = [
  {
    name: 'chromium',
    files: ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'],
    variable: 'CHROMIUM_PATH'
  },
  { name: 'nginx', files: ['/usr/sbin/nginx', '/usr/bin/nginx'], variable: 'NGINX_PATH' },
  // Tests start them on ports of their own.
  { name: 'redis-server', files: ['/usr/bin/redis-server', '/usr/local/bin/redis-server'] },
  { name: 'nats-server', files: ['/usr/sbin/nats-server', '/usr/local/bin/nats-server'] }
];

function setUp() {
  const missing = COUNTERPARTS.filter(
    ({ files, variable }) => !(variable && process.env[variable]) && !files.some(existsSync)
  ).map(({ name }) => name);
  if (missing.length === 0) {
    console.log('Chromium, nginx, Redis and NATS are installed.');
    return;
  }
  const isRoot = process.getuid && process.getuid() === 0;
  if (!isRoot || !existsSync('/usr/bin/apt-get')) {
    console.log(`No apt-get as root to install ${missing.join(' and ')}: their tests are skipped.`);
    return;
  }
  console.log(`Installing ${missing.join(' and ')} for tests …`);
  const isUpdated = run('apt-get', ['update', '-q']);
  // One by one: a system may not have all of them.
  const failed = missing.filter(
    (name) =>
      !isUpdated || !run('apt-get', ['install', '-y', '-q', '--no-install-recommends', name])
  );
  if (failed.length > 0) {
    console.log(`Could not install ${failed.join(' and ')}: their tests are skipped.`);
  }
}

setUp();
