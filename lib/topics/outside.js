// A WebSocket on a stream as a member of topics that threads share: a reactor tells
// of what other threads publish to it.
//
// Owns: the slot that stands for it in a lane. Used by registry.js and
// native-transport.js. Runs on: js. Tests: __test__/process/hub.test.js.

'use strict';

const bridge = require('../bridge');
const { topicOf } = require('./membership');
const { READY_STATES, kTransport } = require('../constants');

const { COMMAND_ENLIST, COMMAND_RELEASE, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE } = bridge.layout;

const OPEN = READY_STATES.indexOf('OPEN');

class Outside {
  /**
   * @param {WebSocket} websocket
   * @param {Lane} lane
   * @param {Number} slot
   * @param {Number} generation
   */
  constructor(websocket, lane, slot, generation) {
    this.lane = lane;
    this.generation = generation;
    this.scope = bridge.rootScope;
    this._websocket = websocket;
    this.slot = slot;
    this._isClosed = false;
    // What arrives has to be delivered, whatever else there is of reactors.
    this._hold = new bridge.Hold();
    this._hold.referenced = false;
  }

  /** A WebSocket that no reactor knows. */
  static of(websocket) {
    const lane = bridge.chooseLane();
    const { slot, generation } = lane.reserve();
    const outside = new Outside(websocket, lane, slot, generation);
    lane.command(COMMAND_ENLIST, slot, generation, 0);
    outside.begin();
    return outside;
  }

  /** The slot is ours alone from here on. */
  begin() {
    if (this._isClosed) {
      this._release();
      return;
    }
    this._hold.acquire();
    this.lane.endpoints[this.slot] = this;
  }

  join(topic) {
    this.lane.command(COMMAND_SUBSCRIBE, this.slot, this.generation, topic);
  }

  leave(topic) {
    this.lane.command(COMMAND_UNSUBSCRIBE, this.slot, this.generation, topic);
  }

  /** The WebSocket closes. What it left before still comes until then. */
  close() {
    this._isClosed = true;
    if (this.lane.endpoints[this.slot] === this) this._release();
  }

  _release() {
    this._hold.release();
    this.lane.endpoints[this.slot] = undefined;
    this.lane.command(COMMAND_RELEASE, this.slot, this.generation, 0);
  }

  /** Called by the bridge with a message for several, and the number of its topic. */
  onPublished(message, topic) {
    const { _websocket: websocket } = this;
    message.topic = topicOf(topic);
    if (websocket.readyState === OPEN) websocket[kTransport].publish(message);
  }

  onMessage() {}

  onEvent() {}
}

module.exports = Outside;
