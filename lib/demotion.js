// Gives a native connection back to Node: from here on its net.Socket is a socket
// that reads and writes by itself, and a WebSocket on it has the stream transport.
//
// Owns: the exchange of the handle, what is on its way in either direction.
// Called by native-socket.js when somebody touches what only a socket can do.
// Runs on: js. INVARIANT: nothing is lost, doubled or reordered: events that the
// reactor reported before come first, what it had not written is written first.
// Tests: __test__/differential/socket-demotion.test.js, src/reactor/tests/extraction.rs.

'use strict';

const fs = require('fs');
const net = require('net');

const { PERMESSAGE_DEFLATE } = require('./constants');
const { DemotedTransport } = require('./demoted-transport');
const PreparedMessage = require('./topics/prepared-message');

const { prototype: genuine } = net.Socket;

/**
 * @param {NativeTransport} transport
 * @param {net.Socket} socket Whose members are Node's again
 * @param {NativeHandle} handle What is in the place of its handle
 * @param {?Error} lost If the socket is to be destroyed at once: what callbacks of writes are told
 * @return {Boolean} Whether the socket has a handle of Node's; not, if the connection is over and
 *     only the news of it is on its way
 */
function demote(transport, socket, handle, lost) {
  const room = socket.isPaused() ? socket.readableHighWaterMark - socket.readableLength : 0;
  const { owesDrain } = handle;
  const extracted = transport.extract(Math.max(room, 0));
  if (extracted === null) return false;

  const writes = {
    unsent: extracted.takeUnsent(),
    acks: extracted.acks,
    isEnding: extracted.isEnding
  };
  const carried = {
    bytesRead: handle.baseRead + extracted.received,
    bytesWritten: handle.baseWritten + extracted.sent - writes.unsent.length
  };
  // Before the decoder is taken.
  const { isCompressing, isInflating, isWithinMessage } = extracted;
  const parts = {
    codec: extracted.takeCodec(),
    held: extracted.takeHeld(),
    isCompressing,
    isInflating,
    isWithinMessage,
    waiting: extracted.takeWaiting(),
    window: extracted.takeWindow()
  };
  const ahead = extracted.takeAhead();
  const real = exchange(socket, extracted.takeDescriptor(), transport, carried);

  if (transport.websocket === null) {
    transport.handOver(null, socket);
    writeUnsent(socket, transport, writes, owesDrain);
    if (parts.held.length > 0) genuine.unshift.call(socket, parts.held);
    startReading(socket, real);
    return true;
  }
  const heir = inherit(transport, socket, parts);
  handle.heir = heir;
  transport.handOver(heir, socket);
  heir.attach(transport.websocket);
  if (transport.knownReceiver !== null) transport.knownReceiver.follow(heir.receiver);
  if (transport.knownSender !== null) transport.knownSender.follow(heir.sender);
  if (lost === null) writeUnsent(socket, transport, writes, owesDrain);
  else transport.onLost(writes.acks.length, lost);
  if (ahead.length > 0) genuine.push.call(socket, ahead);
  transport.onceExtracted(() => {
    heir.begin();
    startReading(socket, real);
  });
  return true;
}

/** Puts a handle of Node's under a socket. */
function exchange(socket, fd, { referenced, scope }, carried) {
  let maker;
  try {
    // Its callbacks run in the asynchronous context of the connection.
    maker = scope.runInAsyncScope(() => new net.Socket({ fd, manualStart: true }));
  } catch (error) {
    fs.closeSync(fd);
    socket.destroy(error);
    return null;
  }
  const real = maker._handle;
  maker._handle = null;
  // Node finds the socket of a handle, and the context of a socket, through symbols of its own.
  for (const symbol of Object.getOwnPropertySymbols(real)) {
    if (real[symbol] === maker) real[symbol] = socket;
  }
  for (const symbol of Object.getOwnPropertySymbols(maker)) {
    if (symbol.description === 'async_id_symbol') socket[symbol] = maker[symbol];
  }
  for (const [name, base] of Object.entries(carried)) countFrom(real, name, base);
  // As if Node read already: it is told when it does.
  real.reading = true;
  if (!referenced) real.unref();
  socket._handle = real;
  return real;
}

function countFrom(handle, name, base) {
  const read = () => Reflect.get(Object.getPrototypeOf(handle), name, handle);
  Object.defineProperty(handle, name, { configurable: true, get: () => base + read() });
}

function startReading(socket, real) {
  if (real === null || socket.destroyed || socket._readableState.ended) return;
  real.reading = true;
  // The stream knows that it reads.
  genuine.read.call(socket, 0);
  // What fails here is told by writing, too.
  real.readStart();
}

/** The transport that a WebSocket has from now on. */
function inherit(transport, socket, parts) {
  const { codec, isCompressing, isInflating, isWithinMessage, waiting, window } = parts;
  const { websocket } = transport;
  const { [PERMESSAGE_DEFLATE]: deflate } = websocket._extensions;
  if (deflate !== undefined) deflate.continueFrom(window);
  const heir = new DemotedTransport(socket, websocket, codec, isInflating);
  heir.sender.continueMessage(isWithinMessage, isCompressing);
  for (const { opcode, payload, compress } of waiting) {
    const message = new PreparedMessage(opcode, payload, compress);
    message.topic = message;
    heir.publish(message);
  }
  return heir;
}

/** Writes what the reactor had not written; callbacks wait for their bytes. */
function writeUnsent(socket, transport, { unsent, acks, isEnding }, owesDrain) {
  if (isEnding) {
    endUnsent(socket, transport, unsent, acks.length);
    return;
  }
  let from = 0;
  let due = 0;
  genuine.cork.call(socket);
  acks.forEach((at, index) => {
    due++;
    if (acks[index + 1] === at) return;
    const count = due;
    due = 0;
    genuine.write.call(socket, unsent.subarray(from, at), (error) => {
      transport.onWrittenElsewhere(count, error);
    });
    from = at;
  });
  if (from < unsent.length) genuine.write.call(socket, unsent.subarray(from));
  if (owesDrain) {
    // Even if the kernel has all of it: 'drain' comes when this is written.
    socket._writableState.needDrain = true;
    genuine.write.call(socket, '');
  }
  genuine.uncork.call(socket);
}

/**
 * The same for a socket that takes no writes any more, because its end waits behind them: another
 * one writes on the same handle.
 */
function endUnsent(socket, transport, unsent, count) {
  const writer = new net.Socket({ allowHalfOpen: true });
  writer._handle = socket._handle;
  writer._destroy = (error, callback) => callback(error);
  writer.on('error', (error) => {
    transport.onWrittenElsewhere(count, error);
    socket.destroy(error);
  });
  writer.end(unsent, (error) => {
    writer._handle = null;
    if (!error) transport.onWrittenElsewhere(count, null);
  });
}

module.exports = { demote };
