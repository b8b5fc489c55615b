// Chooses the transport for a socket of Node's. Runs on: js.

'use strict';

const { Buffer } = require('buffer');

const binding = require('./binding');
const { suitsWorkers } = require('./compression');
const { PERMESSAGE_DEFLATE } = require('./constants');
const { isReplaced } = require('./replaced');
const StreamTransport = require('./stream-transport');
const { settingsFor } = require('./settings');
const { canTakeOver, takeOver } = require('./takeover');

// On Windows the addon has no reactor.
const forced = process.env.FERROWS_TRANSPORT === 'stream' || binding.Bridge === undefined;

/**
 * Gives a socket to a worker if one can own it, else leaves it with Node.
 *
 * @param {Duplex} socket
 * @param {Buffer} head Bytes that were read already
 * @param {(String|Buffer)} preface What to write first
 * @param {Object} options Of the WebSocket
 * @param {Boolean} isServer
 * @param {Object} extensions By name
 * @return {(NativeTransport|StreamTransport)}
 */
function openTransport(socket, head, preface, options, isServer, extensions) {
  const { [PERMESSAGE_DEFLATE]: deflate } = extensions;
  // Workers make their own masking keys and have their own zlib.
  const suits = !options.generateMask && (!deflate || suitsWorkers(deflate._options));
  if (!forced && suits && !isReplaced() && canTakeOver(socket)) {
    const settings = settingsFor(options, isServer, extensions);
    const taken = takeOver(socket, head, Buffer.from(preface), settings);
    if (taken.transport !== null) return taken.transport;
    head = taken.head;
  }
  if (preface.length > 0) socket.write(preface);
  return new StreamTransport(socket, head, options, isServer, extensions);
}

module.exports = { forced, openTransport };
