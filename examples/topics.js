// Rooms, with a server in each of several threads: node examples/topics.js [threads]
//
// Clients of any of the ports, ws://localhost:8081/room, are in the same room.

'use strict';

const { Worker, isMainThread, workerData } = require('worker_threads');

const { WebSocketServer } = require('..');

function serve(port) {
  const wss = new WebSocketServer({ port, hub: 'rooms', maxSubscriptions: 10 });

  wss.on('listening', () => console.log(`ws://localhost:${wss.address().port}/room`));
  wss.on('connection', (ws, request) => {
    const room = request.url;
    ws.subscribe(room);
    ws.on('error', console.error);
    ws.on('message', (data, isBinary) => ws.publish(room, data, { binary: isBinary }));
  });
  // On all ports together.
  wss.on('subscription', (ws, room, count) => {
    wss.publish(room, JSON.stringify({ here: count }), { except: ws });
  });
}

if (isMainThread) {
  const threads = Number(process.argv[2] || 2);
  const base = Number(process.env.PORT || 8080);
  for (let index = 1; index <= threads; index++) {
    // 0 lets the system choose.
    new Worker(__filename, { workerData: base === 0 ? 0 : base + index });
  }
} else {
  serve(workerData);
}
