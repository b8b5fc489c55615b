// The topics of a server: who is subscribed to what, and publishing.
//
// Owns: names and their numbers, the counts, the event 'subscription'. Reactors know
// the members of their own connections by number (src/reactor/topics.rs); the others
// are each topic's `byHand`. Used by websocket.js and websocket-server.js, whose
// public methods it never calls. Runs on: js. Tests: __test__/api/topics.test.js.

'use strict';

const Backbone = require('../backbone');
const Queue = require('../queue');
const { layout, lanes, openHub } = require('../bridge');
const { OPCODES, kLimits, kOutside, kServer, kSubscriptions, kTransport } = require('../constants');
const { toShared } = require('../send-data');
const membership = require('./membership');
const { LONGEST_BYTES, LONGEST_CARRIED, checkName, coded } = require('./name');
const Outside = require('./outside');
const PreparedMessage = require('./prepared-message');
const Recovery = require('./recovery');

const { COMMAND_EXCEPT, COMMAND_PUBLISH, FLAG_COMPRESS } = layout;
const { TEXT, BINARY } = OPCODES;

const COMPRESS_BIT = FLAG_COMPRESS << 8;
const OPEN = 1;
const NO_OPTIONS = {};
const NOBODY = [];

// Numbers of topics; one that has no members any more is given to another.
let nextId = 0;
const freeIds = [];

// Topics that threads share, by the name of their hub.
const shared = new Map();

class Topics {
  /**
   * The topics of a server: its own, or those that it shares with all servers of the process that
   * name the same hub.
   *
   * @param {String} [hub]
   * @param {Boolean} [carried] Whether other processes are to have a part in them
   * @return {Topics}
   * @throws {TypeError|RangeError} If no hub can have that name
   * @throws {Error} Where threads cannot share topics
   */
  static of(hub, carried = false) {
    if (hub === undefined || hub === null) return new Topics(carried ? openHub(null) : null);
    checkName(hub, 'hub');
    let topics = shared.get(hub);
    if (topics === undefined) shared.set(hub, (topics = new Topics(openHub(hub))));
    return topics;
  }

  /**
   * @param {Number} [limit] How many topics a WebSocket may have; 0 is no limit
   * @throws {TypeError|RangeError} If it is no such number
   */
  static checkLimit(limit) {
    if (limit === undefined) return;
    if (typeof limit !== 'number') {
      const text = 'The "maxSubscriptions" option must be a number';
      throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', text);
    }
    if (!(limit >= 0)) {
      const text = 'The "maxSubscriptions" option must not be negative';
      throw coded(RangeError, 'ERR_OUT_OF_RANGE', text);
    }
  }

  /** @param {?Hub} hub */
  constructor(hub) {
    this._hub = hub;
    this._byName = new Map();
    // What is still to be told of, in order.
    this._news = new Queue();
    this._longest = LONGEST_BYTES;
    /** @type {?Backbone} */
    this.backbone = null;
  }

  /** @type {?Hub} */
  get hub() {
    return this._hub;
  }

  /**
   * A server wants them carried to other processes.
   *
   * @param {WebSocketServer} server
   * @param {Object} options From `readBackbone()`
   * @throws {Error} If they are carried otherwise
   */
  carry(server, options) {
    if (this.backbone === null) this.backbone = new Backbone(this, options);
    this.backbone.add(server, options);
    this._longest = LONGEST_CARRIED;
  }

  /** It has closed. */
  stopCarrying(server) {
    if (this.backbone !== null && this.backbone.remove(server)) this.backbone = null;
  }

  /** @return {Boolean} Whether somebody of this thread is subscribed */
  has(name) {
    return this._byName.has(name);
  }

  /** Names of the topics that somebody is subscribed to. */
  get names() {
    return this._hub === null ? [...this._byName.keys()] : this._hub.names;
  }

  /** How many topics somebody of this thread is subscribed to. */
  get size() {
    return this._byName.size;
  }

  /** Whether other threads may publish. */
  get isShared() {
    return this._hub !== null;
  }

  /** Throws on what is no name. */
  check(name) {
    this._find(name);
  }

  /**
   * @param {String} name
   * @return {Number} How many are subscribed
   */
  countOf(name) {
    const topic = this._find(name);
    if (this._hub !== null) return this._hub.countOf(name);
    return topic === undefined ? 0 : topic.count;
  }

  /**
   * @param {WebSocket} websocket Open
   * @param {String} name
   * @param {Object} [options] `since`
   * @return {Boolean} `false` if it was subscribed
   * @throws {RangeError} If it has as many as the server allows
   * @throws {TypeError} If `since` is no string, or there is no history
   */
  subscribe(websocket, name, options) {
    let topic = this._find(name);
    const since = this._sinceOf(options);
    if (topic !== undefined && membership.has(websocket, topic)) return false;
    const limit = websocket[kServer].options.maxSubscriptions;
    if (limit > 0 && membership.size(websocket) >= limit) {
      const text = `The WebSocket is subscribed to ${limit} topics already`;
      throw coded(RangeError, 'ERR_TOO_MANY_SUBSCRIPTIONS', text);
    }
    if (topic === undefined) {
      // The program is asked before anything has changed.
      const rule = websocket[kServer].options[kLimits].ruleOf(name);
      topic = new membership.Topic(freeIds.length > 0 ? freeIds.pop() : nextId++, name, rule);
      this._byName.set(name, topic);
      membership.enter(topic);
    }
    const { [kTransport]: transport } = websocket;
    membership.add(websocket, topic);
    topic.count++;
    countsOf(websocket[kServer]).subscriptions++;
    if (since !== null) {
      this._recover(websocket, topic, since);
      return true;
    }
    const lane = transport.join(topic.id);
    if (lane >= 0) topic.lanes |= 1 << lane;
    if (transport.passesByHand) membership.addByHand(topic, websocket);
    this._note(websocket, topic, this._hub === null ? topic.count : this._enter(websocket, topic));
    this._tell();
    return true;
  }

  /** Since when a subscriber wants to know what it missed, or null. */
  _sinceOf(options) {
    if (options === undefined || options === null) return null;
    const { since = null } = options;
    if (since === null) return null;
    if (typeof since !== 'string') {
      throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "since" option must be a string');
    }
    if (this.backbone === null || !this.backbone.keepsHistory) {
      const text = 'The "since" option needs a backbone that keeps a history';
      throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', text);
    }
    return since;
  }

  _recover(websocket, topic, since) {
    const recovery = new Recovery(this, websocket, topic, (event) => {
      websocket[kServer].emit('history', websocket, event);
    });
    this._note(websocket, topic, recovery.count);
    recovery.begin(since);
    this._tell();
  }

  /**
   * @param {String} name
   * @return {(String|undefined)} Up to where its history was delivered in this process
   */
  positionOf(name) {
    this._find(name);
    return this.backbone === null ? undefined : this.backbone.positionOf(name);
  }

  /**
   * @param {WebSocket} websocket
   * @param {String} name
   * @return {Boolean} `false` if it was not subscribed
   */
  unsubscribe(websocket, name) {
    const topic = this._find(name);
    if (topic === undefined || !membership.has(websocket, topic)) return false;
    membership.remove(websocket, topic);
    this._drop(topic, websocket, true);
    this._tell();
    return true;
  }

  /** A WebSocket that closes leaves all its topics. */
  leaveAll(websocket) {
    const topics = membership.topicsOf(websocket);
    websocket[kSubscriptions] = null;
    for (const topic of topics) this._drop(topic, websocket, false);
    websocket[kTransport].leaveAll();
    if (websocket[kOutside] !== null) {
      websocket[kOutside].close();
      websocket[kOutside] = null;
    }
    // Not from within the closing, which is in no state for listeners.
    if (this._news.length > 0) process.nextTick(tell, this);
  }

  /** @return {Boolean} Whether a WebSocket is subscribed */
  includes(websocket, name) {
    const topic = this._find(name);
    return topic !== undefined && membership.has(websocket, topic);
  }

  /**
   * Gives a message to everybody who is subscribed.
   *
   * @param {WebSocketServer} server Whose it is
   * @param {String} name
   * @param {*} data As for `send()`, but no Blob
   * @param {Object} [options] `binary`, `compress`, `except`, `local`
   * @param {?WebSocket} [sender] Who does not get it
   * @return {Number} How many get it
   */
  publish(server, name, data, options = NO_OPTIONS, sender = null) {
    const topic = this._find(name);
    const { binary, compress = true, except, local } = options === null ? NO_OPTIONS : options;
    const payload = toShared(data);
    const isBinary = binary === undefined ? typeof payload !== 'string' : Boolean(binary);
    const excluded = sender === null && except === undefined ? NOBODY : listOf(except, sender);
    const opcode = isBinary ? BINARY : TEXT;
    let matched =
      topic === undefined ? 0 : this._publishHere(topic, opcode, payload, compress, excluded);
    if (this._hub !== null) {
      const skip = topic === undefined ? undefined : recordingsOf(topic, excluded);
      matched += this._hub.publish(name, opcode, payload, Boolean(compress), Boolean(local), skip);
    }
    countsOf(server).onPublished(matched);
    return matched;
  }

  _publishHere(topic, opcode, payload, compress, excluded) {
    let { count } = topic;
    for (const websocket of excluded) if (membership.has(websocket, topic)) count--;
    if (count === 0) return 0;
    const { byHand } = topic;
    if (topic.lanes !== 0) {
      const { code } = topic.numbers;
      const word = COMMAND_PUBLISH | (compress ? COMPRESS_BIT : 0) | (opcode << 16) | (code << 24);
      this._publishInLanes(topic, word, payload, excluded);
    }
    if (byHand !== null) {
      const message = new PreparedMessage(opcode, payload, Boolean(compress));
      message.topic = topic;
      const passedOver = new Set(excluded);
      // Who joins or leaves meanwhile changes nothing.
      for (const websocket of [...byHand]) {
        if (passedOver.has(websocket) || websocket.readyState !== OPEN) continue;
        websocket[kTransport].publish(message);
      }
    }
    return count;
  }

  _publishInLanes(topic, word, payload, excluded) {
    const all = lanes();
    for (let index = 0; index < all.length; index++) {
      if ((topic.lanes & (1 << index)) === 0) continue;
      const lane = all[index];
      for (const websocket of excluded) {
        if (!membership.has(websocket, topic)) continue;
        const { [kTransport]: transport } = websocket;
        if (transport.lane === lane) {
          lane.command(COMMAND_EXCEPT, transport.slot, transport.generation, 0);
        }
      }
      lane.write(word, topic.id, topic.numbers.limit, payload);
    }
  }

  /** The topic of a name, if it has members. Throws on what is no name. */
  _find(name) {
    const topic = this._byName.get(name);
    if (topic === undefined) checkName(name, 'topic', this._longest);
    return topic;
  }

  /** Other threads may publish to a WebSocket from here on. */
  _enter(websocket, topic) {
    const { [kTransport]: transport } = websocket;
    if (websocket[kOutside] === null && transport.lane === undefined) {
      websocket[kOutside] = Outside.of(websocket);
    }
    const { [kOutside]: outside } = websocket;
    if (outside !== null) outside.join(topic.id);
    // Behind the command: whoever is counted gets the message.
    return this._hub.join(outside === null ? transport.lane : outside.lane, topic);
  }

  /** Leaves a topic, or all of them if it is not `single`. */
  _drop(topic, websocket, single) {
    const { [kOutside]: outside, [kTransport]: transport } = websocket;
    topic.count--;
    countsOf(websocket[kServer]).subscriptions--;
    let left = topic.count;
    if (membership.isRecovering(topic, websocket)) {
      left = topic.recovering.get(websocket).stop();
    } else {
      // Before the command, for the same reason.
      if (this._hub !== null) {
        left = this._hub.leave(topic.name, outside === null ? transport.lane : outside.lane);
      }
      if (single) transport.leave(topic.id);
      if (outside !== null) outside.leave(topic.id);
      membership.removeByHand(topic, websocket);
    }
    this._note(websocket, topic, left);
    if (topic.count > 0) return;
    this._byName.delete(topic.name);
    membership.forget(topic);
    freeIds.push(topic.id);
  }

  _note(websocket, { name }, count) {
    if (websocket[kServer].listenerCount('subscription') === 0) return;
    this._news.push({ websocket, name, count });
  }

  // Listeners may subscribe and publish: what comes of it is told behind what came before.
  _tell() {
    const { _news: news } = this;
    try {
      while (news.length > 0) {
        const { websocket, name, count } = news.shift();
        websocket[kServer].emit('subscription', websocket, name, count);
      }
    } finally {
      if (news.length > 0) process.nextTick(tell, this);
    }
  }
}

function countsOf(server) {
  return server.options[kLimits].counts;
}

function tell(topics) {
  topics._tell();
}

/** What is taken down for members who do not get a message. */
function recordingsOf({ recovering }, excluded) {
  if (recovering === null || excluded.length === 0) return undefined;
  const known = excluded.filter((websocket) => recovering.has(websocket));
  return known.map((websocket) => recovering.get(websocket).recording);
}

/** Who does not get a message: a WebSocket or several, and its sender. */
function listOf(except, sender) {
  if (except === undefined || except === null) return sender === null ? NOBODY : [sender];
  const isList = !isWebSocket(except) && typeof except[Symbol.iterator] === 'function';
  const all = new Set(isList ? except : [except]);
  for (const websocket of all) {
    if (!isWebSocket(websocket)) {
      const text = 'The "except" option must be a WebSocket or several';
      throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', text);
    }
  }
  if (sender !== null) all.add(sender);
  return [...all];
}

function isWebSocket(value) {
  return typeof value === 'object' && value !== null && kSubscriptions in value;
}

module.exports = Topics;
