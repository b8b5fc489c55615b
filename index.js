'use strict';

const createWebSocketStream = require('./lib/stream');
const WebSocket = require('./lib/websocket');
const WebSocketServer = require('./lib/websocket-server');
const extension = require('./lib/extension');
const subprotocol = require('./lib/subprotocol');

WebSocket.createWebSocketStream = createWebSocketStream;
WebSocket.extension = extension;
WebSocket.Server = WebSocketServer;
WebSocket.subprotocol = subprotocol;
WebSocket.WebSocket = WebSocket;
WebSocket.WebSocketServer = WebSocketServer;

module.exports = WebSocket;
