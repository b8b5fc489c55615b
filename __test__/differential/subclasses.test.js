// Subclasses may have members of any name: nothing of ours is where they could hit it.

'use strict';

const fs = require('fs');
const path = require('path');
const { once } = require('events');

const { libraries, serve } = require('../support/libraries');

const LIB = path.join(__dirname, '..', '..', 'lib');

/** All names of members that our sources use, and some that programs like. */
function plausibleNames() {
  const names = new Set(
    (
      '_id _data _state _handle _buffer _timer _queue _open _opened _closed _send _frame _opcode _socketId ' +
      '_connect _connected _destroy _destroyed _end _ended _error _events2 _fail _failed _forget _heartbeat ' +
      '_hold _listen _listener _listening _messages _onClose _onError _onMessage _onOpen _onPing _onPong ' +
      '_options _ownsServer _owner _parent _ping _pong _pending _pendingPongs _pongWritten _port _reader ' +
      '_reason _reconnect _release _request _reset _response _room _scope _sent _server2 _session _start ' +
      '_stop _stream _tick _timeout _transport _user _write _writer alive connection context data fd ' +
      'flush generation gone handle id isAlive isOpen key lane lastPing listener name options owner path ' +
      'queue remote request room scope server session slot socket state stream timer token topics transport ' +
      'user websocket writes constructor2 destroy end open ref unref write read drain accept attach detach'
    ).split(' ')
  );
  for (const entry of fs.readdirSync(LIB, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.js')) continue;
    const text = fs.readFileSync(path.join(entry.parentPath || entry.path, entry.name), 'utf8');
    for (const [, name] of text.matchAll(/\b(?:this|websocket|wss)\.([A-Za-z_]\w*)/g))
      names.add(name);
    for (const [, name] of text.matchAll(/^ {2}(?:get |set |async )?([a-z_]\w*)\(/gm))
      names.add(name);
  }
  for (const name of [
    'constructor',
    'if',
    'for',
    'while',
    'switch',
    'super',
    'return',
    'function'
  ]) {
    names.delete(name);
  }
  return [...names].sort();
}

/** A class whose objects have a member more: a method, or a field of their own. */
function extended(Base, name, kind) {
  if (kind === 'method') {
    return class extends Base {
      [name]() {
        throw new Error(`${name} was called`);
      }
    };
  }
  return class extends Base {
    [name] = 'theirs';
  };
}

/** The names that ws's own objects have: whoever takes one of those replaces something. */
async function namesOfWs() {
  const { wss, port, close } = await serve(libraries.ws, 'port');
  const connected = once(wss, 'connection');
  const client = new libraries.ws(`ws://127.0.0.1:${port}`);
  const [peer] = await connected;
  await once(client, 'open');
  const names = new Set();
  for (const object of [client, peer, wss]) {
    for (let next = object; next !== null; next = Object.getPrototypeOf(next)) {
      for (const name of Object.getOwnPropertyNames(next)) names.add(name);
    }
  }
  await close();
  return names;
}

/** An echo, a ping and a closing handshake; what came of it. */
async function converse({ Client, Peer, Server }) {
  const trace = [];
  const wss = new Server({ port: 0, host: '127.0.0.1', WebSocket: Peer });
  let client = null;
  let timer;
  const silence = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('silence')), 20000);
  });
  const heard = (emitter, event) => Promise.race([once(emitter, event), silence]);
  wss.on('connection', (websocket) => {
    websocket.on('message', (data, isBinary) => websocket.send(data, { binary: isBinary }));
    websocket.on('close', (code) => trace.push(`server ${code}`));
  });
  try {
    await heard(wss, 'listening');
    client = new Client(`ws://127.0.0.1:${wss.address().port}`);
    await heard(client, 'open');
    client.send('echo');
    const [data, isBinary] = await heard(client, 'message');
    client.ping('p');
    const [pong] = await heard(client, 'pong');
    trace.push(String(data), isBinary, String(pong));
    client.close(3000, 'over');
    const [code, reason] = await heard(client, 'close');
    trace.push(code, String(reason));
    await Promise.race([new Promise((resolve) => wss.close(resolve)), silence]);
    trace.push('closed');
  } catch (error) {
    trace.push(`failed: ${error.message}`);
    if (client !== null) client.terminate();
    for (const peer of wss.clients) peer.terminate();
    wss.close();
  }
  clearTimeout(timer);
  return trace.sort().join();
}

const GOOD = ['server 3000', 'echo', false, 'p', 3000, 'over', 'closed'].sort().join();

describe.each(['method', 'field'])('a %s of any name', (kind) => {
  test.each(['Client', 'Peer', 'Server'])(
    'in a subclass: %s',
    async (role) => {
      const taken = await namesOfWs();
      const names = plausibleNames().filter((name) => !taken.has(name));
      const { ferrows } = libraries;
      const roles = { Client: ferrows, Peer: ferrows, Server: ferrows.Server };
      const broken = [];
      while (names.length > 0) {
        await Promise.all(
          names.splice(0, 32).map(async (name) => {
            const trace = await converse({ ...roles, [role]: extended(roles[role], name, kind) });
            if (trace !== GOOD) broken.push([name, trace]);
          })
        );
      }
      expect(broken).toEqual([]);
    },
    60000
  );
});

test('the names are many, and ws keeps its own', async () => {
  const taken = await namesOfWs();
  const names = plausibleNames();
  expect(names.filter((name) => !taken.has(name)).length).toBeGreaterThan(200);
  expect(names.filter((name) => taken.has(name))).toEqual(
    expect.arrayContaining(['_readyState', '_socket', 'close', 'emitClose', 'options'])
  );
});
