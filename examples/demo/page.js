// Serves the files of the page; whatever else is asked for has an answer, too.
//
// Called by server.js. Tests: __test__/examples/demo.test.js.

'use strict';

const fs = require('fs');
const path = require('path');

const SCRIPT = 'text/javascript; charset=utf-8';
const FILES = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/chart.js': ['chart.js', SCRIPT],
  '/chat.js': ['chat.js', SCRIPT],
  '/comparison.js': ['comparison.js', SCRIPT],
  '/connection.js': ['connection.js', SCRIPT],
  '/echo.js': ['echo.js', SCRIPT],
  '/style.css': ['style.css', 'text/css; charset=utf-8']
};
const HEADERS = {
  'Cache-Control': 'no-cache',
  'Content-Security-Policy': "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff'
};

function answer(response, status, type, body, headers = {}) {
  response.writeHead(status, {
    ...HEADERS,
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    ...headers
  });
  // Node leaves the body out where the answer to HEAD has none.
  response.end(body);
}

const plain = (response, status, text, headers) =>
  answer(response, status, 'text/plain; charset=utf-8', `${text}\n`, headers);

module.exports = function page(request, response) {
  // Not new URL(): it throws at targets like "//".
  const [target] = request.url.split('?', 1);
  if (!Object.hasOwn(FILES, target)) {
    plain(response, 404, 'There is no such page.');
    return;
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    plain(response, 405, 'Only GET and HEAD.', { Allow: 'GET, HEAD' });
    return;
  }
  const [name, type] = FILES[target];
  fs.readFile(path.join(__dirname, 'public', name), (error, content) => {
    if (error) plain(response, 500, 'The file could not be read.');
    else answer(response, 200, type, content);
  });
};
