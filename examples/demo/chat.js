// The chat: names, messages, who comes and goes. Keeps the last messages.
//
// Called by server.js. Whatever a peer sends is either understood or ignored.
// Tests: __test__/examples/demo.test.js.

'use strict';

const WebSocket = require('../..');

const HISTORY = 50;
const LONGEST_NAME = 24;
const LONGEST_TEXT = 500;
// A peer that leaves so much unread is not waited for.
const LARGEST_BACKLOG = 1 << 20;

const wss = new WebSocket.Server({ noServer: true, maxPayload: 4096 });
const history = [];

function publish(...entries) {
  history.push(...entries);
  history.splice(0, history.length - HISTORY);
  const text = JSON.stringify({ people: wss.clients.size, entries });
  for (const client of wss.clients) {
    if (client.bufferedAmount > LARGEST_BACKLOG) client.terminate();
    else client.send(text);
  }
}

/** The object that a message is, or an empty one. */
function parse(data) {
  try {
    const value = JSON.parse(data);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** A text without control characters and what turns writing round, cut between characters. */
function clean(value, length) {
  if (typeof value !== 'string') return '';
  const visible = value.replace(/[\p{Cc}\p{Cs}\u202A-\u202E\u2066-\u2069]+/gu, ' ').trim();
  return [...visible].slice(0, length).join('');
}

wss.on('connection', (ws) => {
  let name = null;

  // A peer that breaks the protocol is closed by the library; there is nothing left to do.
  ws.on('error', () => {});
  ws.send(JSON.stringify({ people: wss.clients.size, entries: history, begins: true }));
  publish();
  ws.on('message', (data) => {
    const message = parse(data);
    if (name === null) {
      name = clean(message.name, LONGEST_NAME) || 'somebody';
      publish({ note: `${name} joined` });
      return;
    }
    const text = clean(message.text, LONGEST_TEXT);
    if (text !== '') publish({ name, text });
  });
  ws.on('close', () => publish(...(name === null ? [] : [{ note: `${name} left` }])));
});

module.exports = wss;
