// The http.IncomingMessage of an upgrade whose head Rust has read.
//
// Owns: the block of EVENT_UPGRADE (`Head::describe` in src/protocol/upgrade),
// read as far as somebody looks. Called by native-listener.js. Runs on: js.
// Must never parse: ranges come with the block.
// Tests: __test__/unit/upgrade-request.test.js, __test__/differential.

'use strict';

const { IncomingMessage } = require('http');

const { layout } = require('./bridge');

const {
  HEAD_COUNT: COUNT,
  HEAD_HEADERS: HEADERS,
  HEAD_MAJOR: MAJOR,
  HEAD_MAX_PARSED: MAX_PARSED,
  HEAD_METHOD: METHOD,
  HEAD_MINOR: MINOR,
  HEAD_TARGET: TARGET,
  HEAD_WORD_BYTES: WORD_BYTES
} = layout;

// What is told of the headers before there are any.
const SOME_HEADERS = Object.freeze(['', '']);

const kLater = Symbol('kLater');

/**
 * The request. Its fields are its own, as those of Node's requests are, so that they survive
 * another prototype, and those that cost something are made when they are first asked for.
 *
 * @param {Buffer} block What `Head::describe` made
 * @param {{socket: Duplex}} transport
 * @return {IncomingMessage}
 */
function upgradeRequest(block, transport) {
  const request = new IncomingMessage(undefined);
  const count = wordOf(block, COUNT);
  const text = (HEADERS + 2 * count) * WORD_BYTES;
  const method = wordOf(block, METHOD);

  request.httpVersionMajor = wordOf(block, MAJOR);
  request.httpVersionMinor = wordOf(block, MINOR);
  request.httpVersion = `${request.httpVersionMajor}.${request.httpVersionMinor}`;
  request.url = block.latin1Slice(text + method, text + wordOf(block, TARGET));
  request.method = block.latin1Slice(text, text + method);
  request.upgrade = true;
  // As a server with Node's options leaves them.
  request.joinDuplicateHeaders = null;
  request.parser = null;
  // Node's getters fold as many lines as it was told of, and take them from `rawHeaders`.
  request._addHeaderLines(SOME_HEADERS, 2 * Math.min(count, MAX_PARSED));
  Object.defineProperties(request, OWN);
  request[kLater] = { request, block, text, transport };
  // An upgrade has no body, and who reads it anyway is told so.
  request.complete = true;
  request.push(null);
  return request;
}

const OWN = {
  [kLater]: { value: undefined, writable: true },
  rawHeaders: later('rawHeaders', readHeaders),
  socket: later('socket', readSocket),
  client: later('client', readSocket)
};

/** A property that becomes an ordinary one of the request when it is first read or written. */
function later(name, read) {
  const settle = (object, value) => {
    Object.defineProperty(object, name, {
      value,
      configurable: true,
      enumerable: true,
      writable: true
    });
    return value;
  };
  return {
    configurable: true,
    enumerable: true,
    // The receiver may be something that inherits from the request or stands before it.
    get() {
      const { [kLater]: state } = this;
      return settle(state.request, read(state));
    },
    set(value) {
      settle(this, value);
    }
  };
}

function readHeaders({ block, text }) {
  const all = block.latin1Slice(text);
  const headers = [];
  let from = wordOf(block, TARGET);
  for (let word = HEADERS; word * WORD_BYTES < text; word++) {
    const to = wordOf(block, word);
    headers.push(all.slice(from, to));
    from = to;
  }
  return headers;
}

function readSocket({ transport }) {
  return transport.socket;
}

function wordOf(block, index) {
  return block.readUInt32LE(index * WORD_BYTES);
}

module.exports = upgradeRequest;
