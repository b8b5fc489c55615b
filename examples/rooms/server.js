// One server of rooms: BACKBONE=redis://localhost:6379 PORT=8081 node examples/rooms/server.js
//
// Servers with the same BACKBONE (an engine's URL) share their rooms, on whatever machine.
// Clients of any of them, ws://localhost:8081/room, are in the same room.

'use strict';

const { WebSocketServer } = require('../..');

const wss = new WebSocketServer({
  port: Number(process.env.PORT || 8081),
  backbone: process.env.BACKBONE || 'redis://localhost:6379',
  maxSubscriptions: 10
});

wss.on('listening', () => console.log(`ws://localhost:${wss.address().port}/room`));
wss.on('connection', async (ws, request) => {
  const room = request.url;
  ws.subscribe(room);
  ws.on('error', console.error);
  ws.on('message', (data, isBinary) => ws.publish(room, data, { binary: isBinary }));
  // The engine knows of it from here on: nothing that is published elsewhere is missed.
  await wss.flushBackbone().catch(() => {});
  ws.send(JSON.stringify({ joined: room }));
});
wss.on('backbone', (event) => {
  if (event.error) console.error(event.error.message);
  // Messages from other servers may be missing: clients of this one fetch the room's state anew.
  if (event.type === 'gap') wss.publish(event.topic, '{"reload":true}', { local: true });
});
