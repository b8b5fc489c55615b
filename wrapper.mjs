import WebSocket from './index.js';

export const { extension, subprotocol, WebSocketServer } = WebSocket;
export { WebSocket };
export default WebSocket;
