// The peers: each does one thing after another, chosen by its own dice.
//
// Owns: the choice of actions, their time limit, the pauses for checkpoints.
// Called by run.js. Runs on: js.

'use strict';

const actions = require('./actions');
const badServer = require('./bad-server');
const rawActions = require('./raw-actions');
const Dice = require('./dice');
const { Caller } = require('./caller');
const { RawPeer, request } = require('../__test__/support/raw-peer');

const COMMON = ['echo', 'echo', 'echo', 'churn', 'compressed', 'compressed', 'fragments', 'pings'];
const KINDS = [...COMMON, ...Object.keys(actions), ...Object.keys(rawActions), 'badServer'];
const EVERY = [...new Set(KINDS)];

class Traffic {
  /** @param {Object} soak `badPort`, `ledger`, `leftovers`, `library`, `options`, `ports` */
  constructor(soak) {
    this._soak = soak;
    this._numbers = Array(soak.options.peers).fill(0);
  }

  /** Every peer acts until the time is over, and finishes what it is at. */
  async run(milliseconds) {
    const end = Date.now() + milliseconds;
    const peers = this._numbers.map((_, peer) => this._act(peer, end));
    await Promise.all(peers);
  }

  async _act(peer, end) {
    const { ledger, options } = this._soak;
    while (Date.now() < end && !ledger.isFull) {
      const number = this._numbers[peer]++;
      const dice = new Dice(options.seed, peer, number);
      // First each kind, however short the time is.
      const kind = EVERY[number * options.peers + peer] || dice.oneOf(KINDS);
      await this._try(kind, `${kind}-${peer}-${number}`, dice);
    }
  }

  async _try(kind, name, dice) {
    const { ledger, options } = this._soak;
    const callers = [];
    const peers = [];
    let timer;
    const limit = new Promise((resolve, reject) => {
      const late = () => reject(new Error(`not done after ${options.patience} s`));
      timer = setTimeout(late, options.patience * 1000);
    });
    try {
      await Promise.race([this._perform(kind, name, dice, callers, peers), limit]);
      ledger.done(kind);
    } catch (error) {
      const states = callers
        .filter(({ closes }) => closes === 0)
        .map((caller) => caller.describe());
      ledger.note([`${name}: ${error.message}`, ...states].join('\n  '));
      // Told once: what is left of it is no other discrepancy.
      for (const { id, websocket } of callers) {
        ledger.forget(id);
        websocket.terminate();
      }
      ledger.forget(name);
      for (const { socket } of peers) socket.destroy();
    } finally {
      clearTimeout(timer);
    }
  }

  _perform(kind, name, dice, callers, peers) {
    const soak = this._soak;
    if (kind === 'badServer') return badServer.visit(soak, dice);
    if (kind in actions) {
      const call = (how) => {
        const caller = new Caller(soak, `${name}.${callers.length}`, how);
        callers.push(caller);
        return caller;
      };
      return actions[kind](call, dice, soak);
    }
    const { ledger } = soak;
    const port = soak.ports[dice.oneOf(['plain', 'compressing', 'taken'])];
    const connect = async (bytes) => {
      const peer = await RawPeer.connect(port, bytes);
      peers.push(peer);
      return peer;
    };
    return rawActions[kind](
      {
        id: name,
        connect,
        async open() {
          ledger.counts.connections++;
          const peer = await connect(request({ path: `/?id=${name}` }));
          await peer.headers();
          return peer;
        },
        expect: (account) => ledger.expectAccount(name, account),
        unsure: () => ledger.isUnsure(name)
      },
      dice
    );
  }
}

module.exports = { EVERY, Traffic };
