// Serves the files of the page.

'use strict';

const fs = require('fs');
const path = require('path');

const files = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/app.js': ['app.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8']
};

module.exports = function page(request, response) {
  const file = files[request.url];
  if (file === undefined || request.method !== 'GET') {
    response.writeHead(404).end();
    return;
  }
  const [name, type] = file;
  response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-cache' });
  fs.createReadStream(path.join(__dirname, 'public', name)).pipe(response);
};
