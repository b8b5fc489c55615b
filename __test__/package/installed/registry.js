// A registry for tests: `node registry.js UPSTREAM TARBALL...`.
//
// Has the packages of the tarballs and what is published to it; everything else is
// answered from the registry UPSTREAM. Prints its port. A process of its own: tests
// run package managers synchronously. Started by harness.js; ends with its stdin.

'use strict';

const http = require('http');
const path = require('path');
const { createHash } = require('crypto');
const { execFileSync } = require('child_process');
const { readFileSync } = require('fs');

const [, , upstream, ...tarballs] = process.argv;
/** By name: the manifest and the bytes of the one version there is. */
const packages = new Map();

function add(bytes, manifest) {
  packages.set(manifest.name, { bytes, manifest });
}

for (const tarball of tarballs) {
  const options = { cwd: path.dirname(tarball) };
  const args = ['-xOzf', path.basename(tarball), 'package/package.json'];
  add(readFileSync(tarball), JSON.parse(execFileSync('tar', args, options)));
}

function description({ bytes, manifest }, origin) {
  const { name, version } = manifest;
  const digest = (algorithm, encoding) => createHash(algorithm).update(bytes).digest(encoding);
  const dist = {
    tarball: `${origin}/${name}/-/${path.basename(name)}-${version}.tgz`,
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

/** What `npm publish` sends. */
async function receive(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const { versions, _attachments: attachments } = JSON.parse(Buffer.concat(chunks));
  const [manifest] = Object.values(versions);
  const [{ data }] = Object.values(attachments);
  add(Buffer.from(data, 'base64'), manifest);
  response.writeHead(201, { 'content-type': 'application/json' }).end('{}');
}

async function answer(request, response) {
  const { headers, method, url } = request;
  const name = decodeURIComponent(
    url
      .split('?')[0]
      .replace(/\/-\/.*/, '')
      .slice(1)
  );
  if (method === 'PUT') {
    await receive(request, response);
  } else if (packages.has(name)) {
    const one = packages.get(name);
    if (url.endsWith('.tgz')) {
      response.end(one.bytes);
    } else {
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(description(one, `http://${headers.host}`)));
    }
  } else if (/^(?:@ferrows\/|ferrows$)/.test(name)) {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not found"}');
  } else {
    await pass(request, response);
  }
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => response.writeHead(502).end(String(error)));
});

server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => process.exit());
