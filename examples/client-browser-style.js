// A client as one writes it for a browser: node examples/client-browser-style.js [url]

'use strict';

const WebSocket = require('..'); // require('ferrows') in your project

const ws = new WebSocket(process.argv[2] || 'ws://localhost:8080/echo');

ws.onopen = () => {
  console.log('connected');
  ws.send('hello');
};

ws.onmessage = ({ data }) => {
  console.log('received: %s', data);
  ws.close();
};

ws.onclose = () => {
  console.log('disconnected');
};
