// The chat: rooms, names, messages, who comes and goes. A room is a topic; its last
// messages are kept.
//
// Called by server.js. Whatever a peer sends is either understood or ignored.
// Tests: __test__/examples/demo.test.js.

'use strict';

const WebSocket = require('../..');

const HISTORY = 50;
const ROOMS = 200;
const LONGEST_NAME = 24;
const LONGEST_TEXT = 500;
const LOBBY = 'lobby';

const wss = new WebSocket.Server({
  noServer: true,
  maxPayload: 4096,
  // A peer that leaves so much unread is not waited for.
  maxBackpressure: 1 << 20,
  onBackpressure: 'close'
});

/** The last messages of each room; those that were used last come last. */
const histories = new Map();

function historyOf(room) {
  const history = histories.get(room) || [];
  histories.delete(room);
  histories.set(room, history);
  if (histories.size > ROOMS) histories.delete(histories.keys().next().value);
  return history;
}

function publish(room, ...entries) {
  const history = historyOf(room);
  history.push(...entries);
  history.splice(0, history.length - HISTORY);
  wss.publish(room, JSON.stringify({ people: wss.subscriberCount(room), entries }));
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

/** The room that a request asks for: /chat?room=NAME. */
function roomOf({ url }) {
  const room = new URLSearchParams(url.split('?')[1]).get('room');
  return clean(room, LONGEST_NAME) || LOBBY;
}

wss.on('connection', (ws, request) => {
  const room = roomOf(request);
  let name = null;

  // A peer that breaks the protocol is closed by the library; there is nothing left to do.
  ws.on('error', () => {});
  ws.subscribe(room);
  ws.send(
    JSON.stringify({
      room,
      people: wss.subscriberCount(room),
      entries: historyOf(room),
      begins: true
    })
  );
  publish(room);
  ws.on('message', (data) => {
    const message = parse(data);
    if (name === null) {
      name = clean(message.name, LONGEST_NAME) || 'somebody';
      publish(room, { note: `${name} joined` });
      return;
    }
    const text = clean(message.text, LONGEST_TEXT);
    if (text !== '') publish(room, { name, text });
  });
  ws.on('close', () => publish(room, ...(name === null ? [] : [{ note: `${name} left` }])));
});

module.exports = wss;
