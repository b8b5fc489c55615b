'use strict';

// What socket options do to the kernel's socket, and references to the process.

const fs = require('fs');
const path = require('path');
const { once } = require('events');
const { spawn } = require('child_process');

const { libraries, serve } = require('../support/libraries');
const { RawPeer } = require('../support/raw-peer');

const ROOT = path.join(__dirname, '..', '..');
const PATHS = { ws: path.join(ROOT, 'node_modules', 'ws'), ferrows: ROOT };
const HERTZ = 100;
const MINUTE = 60 * HERTZ;
const KEEP_ALIVE = '02';

const hex = (port) => port.toString(16).toUpperCase().padStart(4, '0');

/** The idle minutes before the next probe that the kernel sends, or what else it waits for. */
function probeOf(socket) {
  const lines = fs.readFileSync('/proc/net/tcp', 'latin1').split('\n');
  const [line] = lines.filter((each) => {
    const [, local, remote] = each.trim().split(/\s+/);
    return (
      local?.endsWith(`:${hex(socket.localPort)}`) && remote?.endsWith(`:${hex(socket.remotePort)}`)
    );
  });
  const [kind, jiffies] = line.trim().split(/\s+/)[5].split(':');
  return kind === KEEP_ALIVE ? Math.ceil(parseInt(jiffies, 16) / MINUTE) : `timer ${kind}`;
}

/** Lets commands reach the socket, and the kernel have its acknowledgements. */
async function settle(websocket, peer) {
  websocket.send('x');
  await peer.nextFrame();
  await new Promise((resolve) => setTimeout(resolve, 300));
}

const onLinux = process.platform === 'linux' ? test : test.skip;

onLinux.each(['port', 'noServer'])(
  'keep-alive probes (%s; reads /proc, so on Linux)',
  async (mode) => {
    const results = {};
    for (const [name, WebSocket] of Object.entries(libraries)) {
      const { wss, port, close } = await serve(WebSocket, mode);
      const connected = once(wss, 'connection');
      const peer = await RawPeer.open(port);
      const [websocket] = await connected;
      const { _socket: socket } = websocket;
      const seen = [];
      for (const given of [[true, 120_000], [true, 0], [true], [false, 60_000], [true, 900_000]]) {
        socket.setKeepAlive(...given);
        await settle(websocket, peer);
        seen.push(`${given}: ${probeOf(socket)}`);
      }
      peer.socket.destroy();
      await close();
      results[name] = seen;
    }
    expect(results.ferrows).toEqual(results.ws);
    expect(results.ws[0]).toBe('true,120000: 2');
  },
  20000
);

/** A server in a process of its own, which ends when nothing keeps it alive. */
const SERVER = `
  const WebSocket = require(process.argv[1]);
  const [, , mode, when] = process.argv;
  const http = require('http');
  const { once } = require('events');
  const act = (name, { socket }) => {
    if (name === when) socket.unref();
  };
  const options = {
    verifyClient({ req }, callback) {
      act('verifyClient', req);
      setTimeout(() => {
        act('later', req);
        callback(true);
      }, 10);
    }
  };
  const server = mode === 'server' ? http.createServer() : null;
  const wss = new WebSocket.Server(server ? { server, ...options } : { port: 0, ...options });
  wss.on('headers', (lines, request) => act('headers', request));
  wss.on('connection', (websocket, request) => {
    act('connection', request);
    if (when === 'and referenced again') request.socket.unref().ref();
    websocket.on('message', (data) => websocket.send(data));
    wss.close();
    if (server) server.close();
  });
  if (server) server.listen(0, '127.0.0.1');
  wss.on('listening', () => console.log(wss.address().port));
`;

const RUNS = ['verifyClient', 'later', 'headers', 'connection', 'and referenced again', 'never'];
describe.each(['port', 'server'])('a process whose socket is unreferenced (%s)', (mode) => {
  test.each(RUNS)('in %s', async (when) => {
    const results = {};
    for (const [name, library] of Object.entries(PATHS)) {
      const child = spawn(process.execPath, ['-e', SERVER, '--', library, mode, when], {
        stdio: ['ignore', 'pipe', 'inherit']
      });
      const ended = once(child, 'close');
      const [text] = await once(child.stdout, 'data');
      const peer = await RawPeer.open(Number(text));
      if (when === 'never' || when.startsWith('and')) {
        // It lives, until its peer goes.
        peer.socket.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]));
        const { payload } = await peer.nextFrame();
        results[name] = [String(payload)];
        peer.socket.destroy();
      } else {
        results[name] = [];
      }
      results[name].push(...(await ended));
      peer.socket.destroy();
    }
    expect(results.ferrows).toEqual(results.ws);
    expect(results.ws).toContain(0);
  });
});
