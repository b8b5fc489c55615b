// Runs one script against ws and against ferrows and compares what it traced.

'use strict';

const { libraries, serve } = require('../support/libraries');

/** Notes every event of a WebSocket. */
function watch(websocket, trace, name = 'ws') {
  const note = (event, ...details) => {
    trace.push([name, event, `rs ${websocket.readyState}`, ...details].join(' | '));
  };
  websocket.on('message', (data, isBinary) => {
    const text = Buffer.isBuffer(data) ? data.toString('latin1') : JSON.stringify(data);
    note('message', isBinary, text.length > 40 ? `${text.length} bytes` : text);
  });
  websocket.on('ping', (data) => note('ping', data.toString()));
  websocket.on('pong', (data) => note('pong', data.toString()));
  websocket.on('error', (error) => note('error', error.name, error.code, error.message));
  websocket.on('close', (code, reason) => note('close', code, reason.toString()));
  return note;
}

/**
 * Declares a test for each mode of the server.
 *
 * @param {String} title
 * @param {Function} script Called with ({ WebSocket, wss, port, trace, watch }); what it pushes to
 *     `trace` is compared
 * @param {Object} [options] Of the server
 */
function compare(title, script, options) {
  test.each(['port', 'noServer'])(`${title} (%s)`, async (mode) => {
    const traces = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const trace = [];
      const context = await serve(WebSocket, mode, options);
      try {
        await script({ ...context, WebSocket, mode, trace, watch });
      } finally {
        await context.close();
      }
      traces[name] = trace;
    }
    expect(traces.ws).not.toHaveLength(0);
    expect(traces.ferrows).toEqual(traces.ws);
  });
}

module.exports = { compare, watch };
