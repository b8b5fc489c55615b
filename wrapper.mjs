import WebSocket from './index.js';

export const { createWebSocketStream, extension, subprotocol, WebSocketServer } = WebSocket;
export { WebSocket };
export default WebSocket;
