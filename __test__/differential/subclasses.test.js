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

const notAssigned = new Set();

/** Makes a class whose objects have a member more, by kind of the member. */
const KINDS = {
  method: (Base, name) =>
    class extends Base {
      [name]() {
        throw new Error(`${name} was called`);
      }
    },
  field: (Base, name) =>
    class extends Base {
      [name] = 'theirs';
    },
  accessor: (Base, name) =>
    class extends Base {
      get [name]() {
        throw new Error(`${name} was read`);
      }
      set [name](value) {
        throw new Error(`${name} was written`);
      }
    },
  // As who writes to an object that he was given does it.
  assignment: (Base, name) =>
    class extends Base {
      constructor(...args) {
        super(...args);
        // Whoever throws here leaves a listener behind.
        try {
          this[name] = 'theirs';
          if (!Object.keys(this).includes(name)) notAssigned.add(name);
        } catch {
          notAssigned.add(name);
        }
      }
    }
};

/** The names that a library's objects have: who takes one of ws's replaces something. */
async function namesOf(WebSocket) {
  const { wss, port, close } = await serve(WebSocket, 'port');
  const connected = once(wss, 'connection');
  const client = new WebSocket(`ws://127.0.0.1:${port}`);
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
  let ended = null;
  let timer;
  const silence = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error('silence')), 20000);
  });
  const heard = (emitter, event) => Promise.race([once(emitter, event), silence]);
  wss.on('connection', (websocket) => {
    websocket.on('message', (data, isBinary) => {
      websocket.send(data, { binary: isBinary });
      // Who uses the socket has it from here on.
      websocket._socket.cork();
      websocket._socket.uncork();
    });
    ended = heard(websocket, 'close');
    ended.catch(() => {});
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
    trace.push(code, String(reason), `server ${(await ended)[0]}`);
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

describe.each(Object.keys(KINDS))('any name: %s', (kind) => {
  test.each(['Client', 'Peer', 'Server'])(
    'in a subclass: %s',
    async (role) => {
      const taken = await namesOf(libraries.ws);
      const all = new Set([...plausibleNames(), ...(await namesOf(libraries.ferrows))]);
      const names = [...all].filter((name) => !taken.has(name));
      const { ferrows } = libraries;
      const roles = { Client: ferrows, Peer: ferrows, Server: ferrows.Server };
      const broken = [];
      notAssigned.clear();
      while (names.length > 0) {
        await Promise.all(
          names.splice(0, 32).map(async (name) => {
            const trace = await converse({ ...roles, [role]: KINDS[kind](roles[role], name) });
            if (trace !== GOOD) broken.push([name, trace]);
          })
        );
      }
      expect({ broken, notAssigned: [...notAssigned] }).toEqual({ broken: [], notAssigned: [] });
    },
    60000
  );
});

test('the names are many, ours are among them, and ws keeps its own', async () => {
  const taken = await namesOf(libraries.ws);
  const names = plausibleNames();
  expect(names.filter((name) => !taken.has(name)).length).toBeGreaterThan(200);
  const ours = [...(await namesOf(libraries.ferrows))].filter((name) => !taken.has(name));
  expect(ours).toEqual(
    expect.arrayContaining(['drain', 'publish', 'subscribe', 'subscriptions', 'topics'])
  );
  expect(ours.filter((name) => name.startsWith('_'))).toEqual([]);
  expect(names.filter((name) => taken.has(name))).toEqual(
    expect.arrayContaining(['_readyState', '_socket', 'close', 'emitClose', 'options'])
  );
});
