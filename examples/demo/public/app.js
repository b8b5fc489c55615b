// The page: three WebSockets to one port, and the load button.

'use strict';

const RETRY = 1000;
const SAMPLES = 60;
const PING_INTERVAL = 250;
const LOAD_SOCKETS = 50;
const LOAD_TIME = 10000;

const byId = (id) => document.getElementById(id);
const url = (path) => `${location.protocol.replace('http', 'ws')}//${location.host}${path}`;

/** A WebSocket that comes back when the server does. */
function connect(path, onOpen, onMessage) {
  const ws = new WebSocket(url(path));
  ws.onopen = () => onOpen(ws);
  ws.onmessage = ({ data }) => onMessage(data, ws);
  ws.onclose = () => setTimeout(connect, RETRY, path, onOpen, onMessage);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

// Live counters.
function showStats(data) {
  const { connections, received, sent, lag, memory, uptime } = JSON.parse(data);
  const shown = {
    connections,
    received: received.toLocaleString(),
    sent: sent.toLocaleString(),
    lag: `${lag.toFixed(1)} ms`,
    memory: `${Math.round(memory / 1048576)} MiB`,
    uptime: `${Math.round(uptime)} s`
  };
  for (const [id, text] of Object.entries(shown)) byId(id).textContent = text;
  byId('status').textContent = 'connected';
  clearTimeout(showStats.timer);
  showStats.timer = setTimeout(() => {
    byId('status').textContent = 'the server is away, trying again …';
  }, 3000);
}
connect('/stats', () => {}, showStats);

// Chat.
let myName = null;
let chat = null;

function showEntries(data) {
  const { people, entries } = JSON.parse(data);
  const list = byId('entries');
  byId('people').textContent = `${people} here`;
  for (const { name: author, note, text } of entries) {
    const item = document.createElement('li');
    if (note) {
      item.className = 'note';
      item.textContent = note;
    } else {
      const who = document.createElement('b');
      who.textContent = author;
      item.append(who, text);
    }
    list.append(item);
  }
  list.scrollTop = list.scrollHeight;
}

connect(
  '/chat',
  (ws) => {
    chat = ws;
    byId('entries').replaceChildren();
    if (myName !== null) ws.send(JSON.stringify({ name: myName }));
  },
  showEntries
);

byId('join').onsubmit = (event) => {
  event.preventDefault();
  if (chat === null || chat.readyState !== WebSocket.OPEN) return;
  myName = byId('name').value;
  chat.send(JSON.stringify({ name: myName }));
  byId('join').hidden = true;
  byId('say').hidden = false;
  byId('text').focus();
};

byId('say').onsubmit = (event) => {
  event.preventDefault();
  if (chat.readyState !== WebSocket.OPEN) return;
  chat.send(JSON.stringify({ text: byId('text').value }));
  byId('text').value = '';
};

// Echo meter.
const samples = [];

function showRoundTrip(milliseconds) {
  samples.push(milliseconds);
  if (samples.length > SAMPLES) samples.shift();
  byId('rtt').textContent = `${median(samples).toFixed(2)} ms`;
  const top = Math.max(...samples, 1);
  const points = samples.map((value, index) => {
    return `${(index * 300) / (SAMPLES - 1)},${88 - (value / top) * 80}`;
  });
  byId('line').setAttribute('points', points.join(' '));
}

connect(
  '/echo',
  (ws) => ws.send(String(performance.now())),
  (data, ws) => {
    showRoundTrip(performance.now() - Number(data));
    setTimeout(() => {
      if (ws.readyState === WebSocket.OPEN) ws.send(String(performance.now()));
    }, PING_INTERVAL);
  }
);

// Load.
byId('load').onclick = () => {
  const end = performance.now() + LOAD_TIME;
  let echoes = 0;
  let open = LOAD_SOCKETS;
  byId('load').disabled = true;
  byId('load-result').textContent = ' running …';

  for (let i = 0; i < LOAD_SOCKETS; i++) {
    const ws = new WebSocket(url('/echo'));
    ws.onopen = () => ws.send('load');
    ws.onmessage = () => {
      echoes++;
      if (performance.now() < end) ws.send('load');
      else ws.close();
    };
    ws.onclose = () => {
      if (--open > 0) return;
      byId('load').disabled = false;
      byId('load-result').textContent = ` ${echoes.toLocaleString()} echoes`;
    };
  }
};
