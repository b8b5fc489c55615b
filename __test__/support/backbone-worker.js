// A server with a backbone in a process of its own, led through messages. Not a test.
//
// Clients name their topics in the URL, and since when they want what they missed. What happens to
// the backbone, and what they missed, is told as it happens.

'use strict';

const { WebSocketServer } = require('../..');
const { kTopics } = require('../../lib/constants');

const { options } = JSON.parse(process.argv[2]);
const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options });

function show(event) {
  if (event.error === undefined) return event;
  const { message, code } = event.error;
  return { ...event, error: { message, code } };
}

wss.on('backbone', (event) => process.send({ event: show(event) }));
wss.on('history', (ws, event) => process.send({ event: { type: 'history', ...event } }));
wss.on('connection', (ws, request) => {
  const { searchParams } = new URL(request.url, 'ws://localhost');
  const since = searchParams.get('since');
  for (const topic of searchParams.getAll('topic')) ws.subscribe(topic, { since });
  ws.on('message', (data, isBinary) => {
    // "topic\n" before what is to be published.
    const at = data.indexOf(10);
    ws.publish(data.subarray(0, at).toString(), data.subarray(at + 1), { binary: isBinary });
  });
});
wss.on('listening', () => process.send({ port: wss.address().port }));

const actions = {
  publish: ({ topic, data, times = 1, settings }) => {
    let count = 0;
    for (let i = 0; i < times; i++) {
      count += wss.publish(topic, times === 1 ? data : `${data}${i}`, settings);
    }
    return count;
  },
  publishBytes: ({ topic, length }) => wss.publish(topic, Buffer.alloc(length, 7)),
  flush: () => wss.flushBackbone(),
  counts: () => wss[kTopics].backbone.counts,
  subscribers: ({ topic }) => wss.subscriberCount(topic),
  position: ({ topic }) => wss.position(topic),
  close: () => {
    for (const ws of wss.clients) ws.terminate();
    wss.close();
  }
};

process.on('message', async ({ id, action, ...rest }) => {
  try {
    const result = await actions[action](rest);
    process.send({ id, result });
  } catch (error) {
    process.send({ id, error: { message: error.message, code: error.code } });
  }
});
process.on('disconnect', () => process.exit());
