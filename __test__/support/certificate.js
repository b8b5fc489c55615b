// A key and a self-signed certificate for localhost, made for these tests.

'use strict';

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync } = require('child_process');

/**
 * @param {Object} [options] `leaf`: nobody may take it for an authority's, which some insist on
 * @return {{key: Buffer, cert: Buffer}}
 */
function make({ leaf = false } = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'ferrows-tls-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(directory, name));
  try {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const subject = [
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1'
    ];
    if (leaf) subject.push('-addext', 'basicConstraints=critical,CA:FALSE');
    const files = ['-keyout', key, '-out', cert, '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...curve, ...subject, ...files], { stdio: 'ignore' });
    return { key: fs.readFileSync(key), cert: fs.readFileSync(cert) };
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

module.exports = { make };
