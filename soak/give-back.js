// Makes a reactor give a socket back to Node: whoever touches `_handle` gets Node's.
// Used by both processes of the soak. With ws nothing comes of it.

'use strict';

/** @param {WebSocket} websocket An open one */
function giveBack(websocket) {
  Reflect.get(websocket._socket, '_handle');
}

module.exports = giveBack;
