// Thousands of clients in one process, their server in another.

'use strict';

const { once } = require('events');

const { run } = require('../support/children');

const CLIENTS = 5000;
const ROUNDS = 4;

test(`${CLIENTS} clients in one process lose nothing and leave nothing behind`, async () => {
  const server = run(`
    const wss = new WebSocket.Server({ host: '127.0.0.1', port: 0, backlog: 1024 });
    wss.on('listening', () => console.log(wss.address().port));
    wss.on('connection', (websocket) => {
      websocket.on('message', (data, binary) => websocket.send(data, { binary }));
    });
    process.stdin.on('end', () => process.exit()).resume();
  `);
  const [port] = await once(server.child.stdout, 'data');
  const clients = run(`
    let open = 0;
    let echoes = 0;
    let closed = 0;
    const next = (index) => {
      if (index >= ${CLIENTS}) return;
      const websocket = new WebSocket('ws://127.0.0.1:${Number(port)}');
      let round = 0;
      websocket.on('open', () => {
        open++;
        websocket.send(index + ' ' + round);
        next(index + 50);
      });
      websocket.on('message', (data) => {
        if (data.toString() !== index + ' ' + round) throw new Error('lost or mixed up');
        echoes++;
        if (++round < ${ROUNDS}) websocket.send(index + ' ' + round);
        // All stay open until all have been served.
        else if (echoes === ${CLIENTS * ROUNDS}) for (const each of all) each.close(1000);
      });
      websocket.on('close', (code) => {
        if (code !== 1000) throw new Error('closed with ' + code);
        closed++;
      });
      all.push(websocket);
    };
    const all = [];
    for (let index = 0; index < 50; index++) next(index);
    // Nothing keeps the process alive once all are closed.
    process.on('exit', () => console.log(open, echoes, closed));
  `);
  const { code, err, out } = await clients.ended;
  server.child.stdin.end();
  await server.ended;
  expect([code, err]).toEqual([0, '']);
  expect(out.trim()).toBe(`${CLIENTS} ${CLIENTS * ROUNDS} ${CLIENTS}`);
}, 60000);
