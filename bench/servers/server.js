// The server of the benchmarks: node server.js LIBRARY, where LIBRARY is ws,
// ferrows or the name of an installed package with ws's API. Prints its port.
//
// Whatever arrives on /echo is sent back; with FANOUT set it goes to all clients
// instead. Ends when standard input does.

'use strict';

const name = process.argv[2];
const WebSocket = name === 'ferrows' ? require('../..') : require(name);

const fanout = process.env.FANOUT !== undefined;
const wss = new WebSocket.Server({ port: 0, host: '127.0.0.1', clientTracking: true });

wss.on('listening', () => console.log(wss.address().port));
wss.on('connection', (ws) => {
  ws.on('message', (data, isBinary) => {
    if (fanout) {
      for (const client of wss.clients) client.send(data);
    } else {
      ws.send(data, { binary: isBinary });
    }
  });
});

process.stdin.on('end', () => process.exit()).resume();
