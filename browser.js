'use strict';

module.exports = function () {
  throw new Error(
    'ferrows runs in Node.js only. In a browser, use the WebSocket object that the browser provides.'
  );
};
