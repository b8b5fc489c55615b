// A member of a topic that is told first of what it missed.
//
// Owns: what happens between `subscribe(topic, { since })` and the moment from which
// the reactor passes messages on: until then they are taken down (src/driver/
// recording.rs), so that none comes before the earlier ones, twice or not at all.
// Used by registry.js. Runs on: js. Tests: __test__/backbone/history.test.js.

'use strict';

const { kOutside, kTransport } = require('../constants');
const { addByHand } = require('./membership');
const Outside = require('./outside');
const PreparedMessage = require('./prepared-message');

// What Hub#joinRecorded() returns.
const MORE = 0;
const WITH_ALL = 1;

class Recovery {
  /**
   * @param {Topics} topics
   * @param {WebSocket} websocket
   * @param {Topic} topic
   * @param {Function} onDone Called with what 'history' is to tell
   */
  constructor(topics, websocket, topic, onDone) {
    this._topics = topics;
    this._websocket = websocket;
    this._topic = topic;
    this._onDone = onDone;
    this._isOver = false;
    if (topic.recovering === null) topic.recovering = new Map();
    topic.recovering.set(websocket, this);
    [this.recording, this.count] = topics.hub.record(topic.name, topics.backbone.queue);
  }

  /**
   * Asks the engine.
   *
   * @param {String} since
   */
  begin(since) {
    this._topics.backbone.recover(this._topic.name, since, (replay) => this._finish(replay));
  }

  /** It leaves, or closes. @return {Number} How many are left, in all threads */
  stop() {
    const { _topic: topic, _topics: topics } = this;
    // What was published until now still comes.
    this._passRecorded(null);
    this._end();
    return topics.hub.stopRecording(topic.name, this.recording);
  }

  _end() {
    const { _topic: topic } = this;
    this._isOver = true;
    topic.recovering.delete(this._websocket);
    if (topic.recovering.size === 0) topic.recovering = null;
  }

  // Without a replay nobody knows what was missed.
  _finish(replay) {
    if (this._isOver) return;
    const { _topic: topic, _topics: topics, _websocket: websocket } = this;
    const messages = replay === null ? [] : replay.messages();
    messages.forEach(this._pass, this);
    const place = this._place();
    let joined;
    do {
      this._passRecorded(replay);
      joined = topics.hub.joinRecorded(topic, this.recording, place);
    } while (joined === MORE);
    const { [kTransport]: transport } = websocket;
    if (transport.lane !== undefined) topic.lanes |= 1 << transport.lane.index;
    if (transport.passesByHand) addByHand(topic, websocket);
    this._end();
    this._onDone({
      topic: topic.name,
      complete: replay !== null && replay.complete && joined === WITH_ALL,
      messages: messages.length,
      position: replay === null || replay.position === null ? undefined : replay.position
    });
  }

  /** What stands for the WebSocket in a lane. */
  _place() {
    const { _websocket: websocket } = this;
    const { [kTransport]: transport } = websocket;
    if (websocket[kOutside] === null && transport.lane === undefined) {
      websocket[kOutside] = Outside.of(websocket);
    }
    return websocket[kOutside] === null ? transport : websocket[kOutside];
  }

  _passRecorded(replay) {
    const { _topic: topic, _topics: topics } = this;
    topics.hub.takeRecorded(topic.name, this.recording, replay).forEach(this._pass, this);
  }

  _pass({ opcode, compress, payload }) {
    const message = new PreparedMessage(opcode, payload, compress);
    message.topic = this._topic;
    this._websocket[kTransport].publish(message);
  }
}

module.exports = Recovery;
