// Our client and a tokio-tungstenite server.

'use strict';

const fs = require('fs');
const path = require('path');
const { spawn } = require('child_process');
const { once } = require('events');

const WebSocket = require('../..');

// "cargo test" builds it; see tests/peers.
const program = path.join(__dirname, '../../target/debug/examples/tungstenite-echo');
const missing = fs.existsSync(program) ? '' : ' (skipped: "cargo test" has not built it)';

(missing ? describe.skip : describe)(`a tokio-tungstenite server${missing}`, () => {
  let child;
  let url;

  beforeAll(async () => {
    child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
    const [port] = await once(child.stdout, 'data');
    url = `ws://127.0.0.1:${Number(port)}`;
  });

  afterAll(async () => {
    child.stdin.end();
    await once(child, 'exit');
  });

  test('echoes messages of all sizes, answers pings and closes', async () => {
    const websocket = new WebSocket(url);
    await once(websocket, 'open');
    for (const length of [0, 1, 125, 126, 4096, 4097, 65535, 65536, 3000000]) {
      const sent = Buffer.alloc(length, length);
      websocket.send(sent);
      const [data, isBinary] = await once(websocket, 'message');
      expect(isBinary && data.equals(sent)).toBe(true);
    }
    websocket.send('kälte');
    expect(String((await once(websocket, 'message'))[0])).toBe('kälte');
    websocket.send('frag', { fin: false });
    websocket.send('ments', { fin: true });
    expect(String((await once(websocket, 'message'))[0])).toBe('fragments');
    websocket.ping('p');
    expect(String((await once(websocket, 'pong'))[0])).toBe('p');
    websocket.close(4000, 'bye');
    const [code, reason] = await once(websocket, 'close');
    expect([code, String(reason)]).toEqual([4000, 'bye']);
  });

  test('1 000 clients at once lose nothing', async () => {
    const echoes = Array.from({ length: 1000 }, async (_, index) => {
      const websocket = new WebSocket(url);
      await once(websocket, 'open');
      for (let round = 0; round < 5; round++) {
        websocket.send(`${index} ${round}`);
        expect(String((await once(websocket, 'message'))[0])).toBe(`${index} ${round}`);
      }
      websocket.close();
      await once(websocket, 'close');
    });
    await Promise.all(echoes);
  });
});
