// The server of the benchmarks: node server.js LIBRARY, where LIBRARY is ws,
// ferrows or the name of an installed package with ws's API. Prints its port.
//
// Whatever arrives is sent back; with FANOUT set it goes to all clients
// instead. With TLS set it is an https server, with DEFLATE it compresses. Ends when standard input does.

'use strict';

const https = require('https');

const name = process.argv[2];
const WebSocket = name === 'ferrows' ? require('../..') : require(name);
const fanout = process.env.FANOUT !== undefined;
const perMessageDeflate = process.env.DEFLATE === undefined ? false : { threshold: 0 };

function listen() {
  if (process.env.TLS === undefined) {
    return new WebSocket.Server({
      clientTracking: true,
      host: '127.0.0.1',
      perMessageDeflate,
      port: 0
    });
  }
  const { make } = require('../../__test__/support/certificate');
  const server = https.createServer(make());
  server.listen(0, '127.0.0.1');
  return new WebSocket.Server({ server, clientTracking: true, perMessageDeflate });
}

const wss = listen();

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
