// A client with addEventListener: node examples/client-add-event-listener.js [url]

'use strict';

const WebSocket = require('..'); // require('ferrows') in your project

const ws = new WebSocket(process.argv[2] || 'ws://localhost:8080/echo');

ws.addEventListener('open', () => {
  console.log('connected');
  ws.send('hello');
});

ws.addEventListener('message', ({ data }) => {
  console.log('received: %s', data);
  ws.close();
});

ws.addEventListener('close', () => {
  console.log('disconnected');
});
