// The chat: open the page twice and talk to yourself, in a room of your own if you like.

import { connect } from './connection.js';

const byId = (id) => document.getElementById(id);
let name = null;
let room = null;
let socket = null;

function item({ name: author, note, text }) {
  const line = document.createElement('li');
  if (note) {
    line.className = 'note';
    line.textContent = note;
  } else {
    const who = document.createElement('b');
    who.textContent = author;
    line.append(who, text);
  }
  return line;
}

const moveTo = connect('/chat', {
  onOpen(ws) {
    socket = ws;
    if (name !== null) ws.send(JSON.stringify({ name }));
  },
  onMessage(data) {
    const message = JSON.parse(data);
    const { entries, people } = message;
    const list = byId('entries');
    if (message.begins) {
      list.replaceChildren();
      ({ room } = message);
    }
    byId('people').textContent = `${people} in ${room}`;
    list.append(...entries.map(item));
    list.scrollTop = list.scrollHeight;
  },
  onClose() {
    socket = null;
  }
});

byId('join').onsubmit = (event) => {
  event.preventDefault();
  if (socket === null) return;
  name = byId('name').value;
  const wanted = byId('room').value.trim();
  if (wanted === '' || wanted === room) socket.send(JSON.stringify({ name }));
  else moveTo(`/chat?${new URLSearchParams({ room: wanted })}`);
  byId('join').hidden = true;
  byId('say').hidden = false;
  byId('text').focus();
};

byId('say').onsubmit = (event) => {
  event.preventDefault();
  if (socket === null) return;
  socket.send(JSON.stringify({ text: byId('text').value }));
  byId('text').value = '';
};
