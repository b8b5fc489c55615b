'use strict';

const fs = require('fs');
const path = require('path');

const LIB = path.join(__dirname, '..', '..', 'lib');

function files(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return files(name);
    return name.endsWith('.js') ? [name] : [];
  });
}

function requiresOf(file) {
  const source = fs.readFileSync(file, 'utf8');
  return [...source.matchAll(/require\('(\.{1,2}\/[^']*)'\)/g)].map(([, name]) =>
    require.resolve(path.join(path.dirname(file), name))
  );
}

test('no file of lib/ requires itself by a detour', () => {
  const requires = new Map(files(LIB).map((file) => [file, requiresOf(file)]));
  expect(requires.size).toBeGreaterThan(30);
  const circles = [];
  const done = new Set();
  const visit = (file, way) => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].map(short));
    else if (!done.has(file)) {
      for (const next of requires.get(file) || []) visit(next, [...way, file]);
      done.add(file);
    }
  };
  const short = (file) => path.relative(LIB, file);
  for (const file of requires.keys()) visit(file, []);
  expect(circles).toEqual([]);
});
