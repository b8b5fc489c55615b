// Compiled, not run: each marked line must be an error.
import WebSocket from '../..';

const websocket = new WebSocket('ws://localhost');
// @ts-expect-error: a code is a number
websocket.close('1000');
// @ts-expect-error: no such type
websocket.binaryType = 'base64';
// @ts-expect-error: read only
websocket.readyState = 1;
// @ts-expect-error: a boolean is no payload
websocket.send(true);
// @ts-expect-error: ports are numbers
new WebSocket.Server({ port: '80' });
