// Methods of Sender and Receiver that somebody has put others in the place of.
//
// Who does so wants to see what passes: tracers on the prototypes, others on the Sender
// or Receiver of a connection (native-stand-ins.js). Such connections have the stream
// transport. Must be loaded with the library, before anybody can have replaced something.
// Runs on: js. Tests: __test__/differential/replaced.test.js.

'use strict';

const Receiver = require('./receiver');
const Sender = require('./sender');

/** Names of the methods. */
const OF_SENDER = ['close', 'dispatch', 'ping', 'pong', 'send', 'sendFrame'];
const OF_RECEIVER = ['_write', 'emit', 'write'];

const { frame } = Sender;
const ORIGINALS = [
  ...OF_SENDER.map((name) => [Sender.prototype, name]),
  ...OF_RECEIVER.map((name) => [Receiver.prototype, name])
].map(([prototype, name]) => ({ prototype, name, method: prototype[name] }));

/** Whether somebody has done it for all connections. */
function isReplaced() {
  return (
    Sender.frame !== frame ||
    ORIGINALS.some(({ prototype, name, method }) => prototype[name] !== method)
  );
}

module.exports = { OF_RECEIVER, OF_SENDER, isReplaced };
