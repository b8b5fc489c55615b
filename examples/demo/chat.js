// The chat: names, messages, who comes and goes. Keeps the last messages.

'use strict';

const counters = require('./counters');
const WebSocket = require('../..');

const HISTORY = 50;
const LONGEST_NAME = 24;
const LONGEST_TEXT = 500;

const wss = new WebSocket.Server({ noServer: true, maxPayload: 4096 });
const history = [];

function publish(entry) {
  history.push(entry);
  if (history.length > HISTORY) history.shift();
  const text = JSON.stringify({ people: wss.clients.size, entries: [entry] });
  for (const client of wss.clients) {
    counters.sent++;
    client.send(text);
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    return {};
  }
}

const clean = (value, length) =>
  String(value || '')
    .trim()
    .slice(0, length);

wss.on('connection', (ws) => {
  let name = null;

  counters.track(ws);
  ws.send(JSON.stringify({ people: wss.clients.size, entries: history }));
  ws.on('message', (data) => {
    counters.received++;
    const message = parse(data);
    if (name === null) {
      name = clean(message.name, LONGEST_NAME) || 'somebody';
      publish({ note: `${name} joined` });
      return;
    }
    const text = clean(message.text, LONGEST_TEXT);
    if (text !== '') publish({ name, text });
  });
  ws.on('close', () => {
    if (name !== null) publish({ note: `${name} left` });
  });
});

module.exports = wss;
