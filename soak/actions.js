// What well-behaved clients do, and how they end. Kinds by name, each a function of
// (call, dice, soak): `call(how)` makes a Caller. Chosen by traffic.js.

'use strict';

const contents = require('./contents');
const giveBack = require('./give-back');
const { ABNORMAL } = require('./caller');

const [CODES, TYPES] = [
  [1000, 4000, 4999],
  ['nodebuffer', 'arraybuffer', 'fragments']
];
const KIB = 1024;

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Any server and type, with or without compression. */
function anyhow(dice) {
  const options = { perMessageDeflate: dice.chance(2) };
  const server = dice.oneOf(['plain', 'plain', 'compressing', 'taken']);
  return { server, type: dice.oneOf(TYPES), options };
}

function small(dice) {
  return contents.message(dice, dice.chance(20) ? dice.below(70000) : dice.below(600));
}

/** Sends so many messages, so many in flight, and waits for all echoes. */
async function exchange(caller, count, window, make) {
  for (let index = 0; index < count; index++) {
    await caller.until(() => caller.expected.length < window, 'an echo comes');
    caller.send(...[].concat(make(index)));
  }
  await caller.echoed();
}

async function opened(call, how) {
  const caller = call(how);
  await caller.open();
  return caller;
}

const actions = {
  async echo(call, dice) {
    const caller = await opened(call, anyhow(dice));
    await exchange(caller, dice.between(1, 200), dice.between(1, 32), () => small(dice));
    await caller.close(dice.oneOf(CODES));
  },

  /** Many that come and go, half of them without a word. */
  async churn(call, dice) {
    for (let count = dice.between(5, 30); count > 0; count--) {
      const caller = await opened(call, anyhow(dice));
      if (dice.chance(2)) await exchange(caller, 1, 1, () => small(dice));
      if (dice.chance(2)) {
        await caller.close(dice.oneOf(CODES));
      } else {
        caller.websocket.terminate();
        await caller.ended();
      }
    }
  },

  /** Given up before it is open. */
  async giveUp(call, dice, { ledger }) {
    const caller = call(anyhow(dice));
    ledger.isUnsure(caller.id);
    if (dice.chance(2)) await new Promise(setImmediate);
    if (caller.opened) {
      caller.websocket.terminate();
    } else {
      caller.websocket[dice.oneOf(['close', 'terminate'])]();
    }
    await caller.until(() => caller.closes === 1, 'it is over');
    if (caller.code !== ABNORMAL) ledger.note(`${caller.id}: given up, closed with ${caller.code}`);
    if (!caller.opened && caller.errors.length !== 1) {
      ledger.note(`${caller.id}: given up with errors ${caller.errors}`);
    }
  },

  async fragments(call, dice) {
    const caller = await opened(call, anyhow(dice));
    let pings = 0;
    const make = () => {
      const isText = dice.chance(2);
      const parts = Array.from({ length: dice.between(2, 40) }, () => {
        const [offset, length] = [dice.below(1 << 20), dice.below(300)];
        return isText ? contents.textAt(offset, length) : contents.bytesAt(offset, length);
      });
      if (dice.chance(3)) caller.ping(`between ${pings++}`);
      return parts;
    };
    await exchange(caller, dice.between(1, 40), dice.between(1, 4), make);
    await caller.until(() => caller.pongs.length === pings, 'all pongs are there');
    await caller.close(1000, { pings });
  },

  /** In both directions, beside messages. */
  async pings(call, dice, { ledger }) {
    const caller = await opened(call, anyhow(dice));
    const count = dice.between(1, 60);
    let served = 0;
    caller.websocket.on('ping', (data) => {
      if (String(data) !== `from-the-server-${served++}`) ledger.note(`${caller.id}: ping ${data}`);
    });
    for (let index = 0; index < count; index++) {
      caller.ping(`ping ${index}`);
      caller.command(`ping from-the-server-${index}`);
      if (index % 5 === 0) caller.send(small(dice));
      // As many as the server would take at once.
      await caller.until(() => caller.pongs.length > index - 20, 'a pong comes');
    }
    await caller.echoed();
    await caller.until(() => caller.pongs.length === count, 'all pongs are there');
    if (caller.pongs.some((text, index) => text !== `ping ${index}`)) {
      ledger.note(`${caller.id}: pongs out of order`);
    }
    await caller.close(1000, { pings: count });
    if (served !== count) ledger.note(`${caller.id}: ${served} pings of ${count}`);
  },

  async compressed(call, dice) {
    const perMessageDeflate = {
      threshold: 0,
      clientNoContextTakeover: dice.chance(2),
      serverNoContextTakeover: dice.chance(2)
    };
    if (dice.chance(2)) perMessageDeflate.serverMaxWindowBits = dice.between(9, 15);
    const server = dice.oneOf(['compressing', 'taken']);
    const caller = await opened(call, { server, options: { perMessageDeflate } });
    const make = () => {
      const length = dice.chance(15) ? dice.below(500 * KIB) : dice.below(5000);
      return contents.message(dice, length);
    };
    await exchange(caller, dice.between(1, 60), dice.between(1, 8), make);
    await caller.close(dice.oneOf(CODES));
  },

  async medium(call, dice) {
    const caller = await opened(call, anyhow(dice));
    const make = () => contents.message(dice, 64 * KIB + dice.between(-1, 1));
    await exchange(caller, dice.between(1, 30), dice.between(1, 6), make);
    await caller.close(1000);
  },

  async large(call, dice) {
    const caller = await opened(call, { ...anyhow(dice), options: { perMessageDeflate: false } });
    const make = () => contents.message(dice, 2048 * KIB + dice.between(-3, 3));
    await exchange(caller, dice.between(1, 4), dice.between(1, 2), make);
    await caller.close(1000);
  },

  /** Reads nothing for a while: the server has to keep it all. */
  async slowReader(call, dice) {
    const caller = await opened(call, anyhow(dice));
    caller.websocket.pause();
    for (let count = dice.between(1, 100); count > 0; count--) {
      caller.send(contents.message(dice, dice.below(128 * KIB)));
    }
    await sleep(dice.below(100));
    caller.websocket.resume();
    await caller.echoed();
    await caller.close(1000);
  },

  async pauses(call, dice) {
    const caller = await opened(call, anyhow(dice));
    for (let round = dice.between(1, 10); round > 0; round--) {
      if (dice.chance(2)) caller.command(`pause ${dice.between(1, 15)}`);
      for (let count = dice.between(1, 20); count > 0; count--) caller.send(small(dice));
      if (dice.chance(2)) caller.websocket.pause();
      await sleep(dice.below(15));
      caller.websocket.resume();
    }
    await caller.echoed();
    await caller.close(4001);
  },

  /** Messages that nobody asked for, small and many or large and few. */
  async pushes(call, dice) {
    const caller = await opened(call, anyhow(dice));
    const [count, length] = dice.oneOf([
      [2000, 40],
      [200, 3000],
      [8, 300 * KIB]
    ]);
    caller.pushLength = length;
    caller.command(`push ${count} ${length}`);
    await caller.until(() => caller.pushed === count, 'all is pushed');
    await caller.close(1000);
  },

  /** The server's thread is busy: a worker may take over. */
  async burn(call, dice) {
    const caller = await opened(call, anyhow(dice));
    for (let round = dice.between(1, 10); round > 0; round--) {
      caller.command(`burn ${dice.between(1, 8)}`);
      await exchange(caller, 5, 5, () => small(dice));
    }
    await caller.close(1000);
  },

  /** A socket that a reactor has goes back to Node in the middle of traffic, at either end. */
  async givesBack(call, dice) {
    const caller = await opened(call, anyhow(dice));
    const burst = () => {
      for (let count = dice.below(30); count > 0; count--) caller.send(small(dice));
    };
    burst();
    if (dice.chance(2)) await caller.echoed();
    burst();
    if (dice.chance(2)) caller.command('giveBack');
    else giveBack(caller.websocket);
    burst();
    await exchange(caller, dice.between(1, 30), dice.between(1, 8), () => small(dice));
    await caller.close(dice.oneOf(CODES));
  },

  async terminates(call, dice) {
    const caller = await opened(call, anyhow(dice));
    const count = dice.between(1, 100);
    const length = dice.oneOf([100, 100, 100 * KIB]);
    for (let index = 0; index < count; index++) {
      caller.send(contents.message(dice, dice.below(length)));
    }
    const enough = dice.below(count);
    await caller.until(() => caller.echoes >= enough, 'some echoes come');
    caller.websocket.terminate();
    await caller.ended();
  },

  async isTerminated(call, dice) {
    const caller = await opened(call, anyhow(dice));
    for (let count = dice.below(50); count > 0; count--) caller.send(small(dice));
    caller.command('terminate');
    for (let count = dice.below(50); count > 0; count--) caller.send(small(dice));
    await caller.ended([ABNORMAL], { code: ABNORMAL });
  },

  async isClosed(call, dice) {
    const caller = await opened(call, anyhow(dice));
    for (let count = dice.below(50); count > 0; count--) caller.send(small(dice));
    const { sent } = caller;
    caller.command('close 4005');
    await caller.ended([4005], { code: 4005, received: sent });
    if (caller.echoes !== sent) throw new Error(`${sent} sent, ${caller.echoes} echoed`);
  },

  /** Both at once. */
  async closeBoth(call, dice) {
    const caller = await opened(call, anyhow(dice));
    caller.command('close 4010');
    if (dice.chance(2)) await new Promise(setImmediate);
    if (dice.chance(2)) await sleep(1);
    if (caller.websocket.readyState === 1) caller.websocket.close(4011);
    await caller.ended([4010, 4011]);
  }
};

module.exports = actions;
