// A server whose clients choose their topics, in a process of its own: forked with its
// options. Tells its port; asked 'state' it says what the clients have come to and its memory;
// asked to publish it does.
//
// 'join NAME' subscribes, 'move NAME' does so instead of to the topic that was joined last,
// anything else is echoed. What subscribe() refuses is counted by its code.

'use strict';

const { WebSocketServer } = require('../..');

const refused = {};

function join(websocket, name) {
  try {
    websocket.subscribe(name);
  } catch ({ code }) {
    refused[code] = (refused[code] || 0) + 1;
  }
}

function move(websocket, name) {
  const { subscriptions } = websocket;
  websocket.unsubscribe(subscriptions[subscriptions.length - 1]);
  join(websocket, name);
}

const options = { port: 0, host: '127.0.0.1', ...JSON.parse(process.argv[2]) };
const wss = new WebSocketServer(options, () => process.send({ port: wss.address().port }));
wss.on('connection', (websocket) => {
  websocket.on('message', (data) => {
    const [order, name] = String(data).split(' ');
    if (order === 'join') join(websocket, name);
    else if (order === 'move') move(websocket, name);
    else websocket.send(String(data));
  });
});

process.on('message', ({ publish }) => {
  if (publish !== undefined) {
    process.send({ reached: wss.publish(publish, publish) });
    return;
  }
  const clients = [...wss.clients].map(({ subscriptions }) => subscriptions.length);
  // In KiB, the peak.
  const { maxRSS } = process.resourceUsage();
  process.send({ clients, maxRSS, refused, topics: wss.topics.length });
});
process.on('disconnect', () => process.exit());
