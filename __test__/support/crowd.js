// A server with several connections from raw peers.

'use strict';

const { once } = require('events');

const { RawPeer, describe: describeFrame } = require('./raw-peer');

/**
 * @param {Function} WebSocket
 * @param {Number} count
 * @param {Object} [options] Of the server
 * @param {Object} [requestOptions] Of the peers' requests
 * @return {Promise<{wss: WebSocketServer, members: Array<{ws: WebSocket, peer: RawPeer}>,
 *     close: Function}>}
 */
async function crowd(WebSocket, count, options, requestOptions) {
  const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', ...options });
  await once(wss, 'listening');
  const members = [];
  for (let index = 0; index < count; index++) {
    const connected = once(wss, 'connection');
    const peer = await RawPeer.open(wss.address().port, requestOptions);
    peer.setMaxListeners(0);
    const [ws] = await connected;
    ws.on('error', () => {});
    members.push({ ws, peer });
  }
  const close = () => {
    for (const { ws, peer } of members) {
      ws.terminate();
      peer.socket.destroy();
    }
    for (const ws of wss.clients || []) ws.terminate();
    return new Promise((resolve) => wss.close(resolve));
  };
  return { wss, members, close };
}

/** Resolves with what a peer gets up to a ping, which is sent to it now. */
async function framesBefore({ ws, peer }, mark = 'mark') {
  ws.ping(mark);
  const seen = [];
  for (;;) {
    const next = await peer.nextFrame();
    if (next === null) throw new Error(`the connection ended after ${seen}`);
    const text = describeFrame(next);
    if (text === `9: ${mark}`) return seen;
    seen.push(text);
  }
}

module.exports = { crowd, framesBefore };
