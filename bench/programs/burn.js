// A handler's work: keeps the thread busy for some microseconds.

'use strict';

module.exports = function burn(micros) {
  const end = performance.now() + micros / 1000;
  while (performance.now() < end);
};
