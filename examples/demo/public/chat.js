// The chat: open the page twice and talk to yourself.

import { connect } from './connection.js';

const byId = (id) => document.getElementById(id);
let name = null;
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

connect('/chat', {
  onOpen(ws) {
    socket = ws;
    if (name !== null) ws.send(JSON.stringify({ name }));
  },
  onMessage(data) {
    const { begins, entries, people } = JSON.parse(data);
    const list = byId('entries');
    if (begins) list.replaceChildren();
    byId('people').textContent = `${people} here`;
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
  socket.send(JSON.stringify({ name }));
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
