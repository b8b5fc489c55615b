// Chooses the transport for a socket of Node's. Runs on: js.

'use strict';

const { Buffer } = require('buffer');

const StreamTransport = require('./stream-transport');
const { settingsFor } = require('./settings');
const { canTakeOver, takeOver } = require('./takeover');

const forced = process.env.FERROWS_TRANSPORT === 'stream';

/**
 * Gives a socket to a worker if one can own it, else leaves it with Node.
 *
 * @param {Duplex} socket
 * @param {Buffer} head Bytes that were read already
 * @param {(String|Buffer)} preface What to write first
 * @param {Object} options Of the WebSocket
 * @param {Boolean} isServer
 * @return {(NativeTransport|StreamTransport)}
 */
function openTransport(socket, head, preface, options, isServer) {
  // Workers make their own masking keys.
  if (!forced && !options.generateMask && canTakeOver(socket)) {
    return takeOver(socket, head, Buffer.from(preface), settingsFor(options, isServer));
  }
  if (preface.length > 0) socket.write(preface);
  return new StreamTransport(socket, head, options, isServer);
}

module.exports = { forced, openTransport };
