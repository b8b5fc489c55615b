// A registry that has ferrows: `node registry.js TARBALL UPSTREAM`.
//
// Answers what is asked about ferrows from the tarball, everything else from the
// registry UPSTREAM. Prints its port. A process of its own: tests run package
// managers synchronously. Started by documented.installed.js; ends with its stdin.

'use strict';

const http = require('http');
const path = require('path');
const { createHash } = require('crypto');
const { execFileSync } = require('child_process');
const { readFileSync } = require('fs');

const [, , tarball, upstream] = process.argv;
const bytes = readFileSync(tarball);
const manifest = JSON.parse(
  execFileSync('tar', ['-xOzf', path.basename(tarball), 'package/package.json'], {
    cwd: path.dirname(tarball)
  })
);

function description(origin) {
  const { name, version } = manifest;
  const digest = (algorithm, encoding) => createHash(algorithm).update(bytes).digest(encoding);
  const dist = {
    tarball: `${origin}/${name}/-/${name}-${version}.tgz`,
    shasum: digest('sha1', 'hex'),
    integrity: `sha512-${digest('sha512', 'base64')}`
  };
  return {
    name,
    'dist-tags': { latest: version },
    versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } },
    time: { created: '2026-01-01T00:00:00.000Z', [version]: '2026-01-01T00:00:00.000Z' }
  };
}

async function pass({ url, headers: { accept = '*/*' } }, response) {
  const answer = await fetch(upstream.replace(/\/$/, '') + url, { headers: { accept } });
  const body = Buffer.from(await answer.arrayBuffer());
  const type = answer.headers.get('content-type') || 'application/octet-stream';
  response.writeHead(answer.status, { 'content-type': type }).end(body);
}

const server = http.createServer((request, response) => {
  const [, name] = request.url.split('/');
  if (name !== manifest.name) {
    pass(request, response).catch((error) => response.writeHead(502).end(String(error)));
  } else if (request.url.endsWith('.tgz')) {
    response.end(bytes);
  } else {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify(description(`http://${request.headers.host}`)));
  }
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit());
