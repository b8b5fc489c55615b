// This thread's part in the topics that threads share. Runs on: js.
// Tests: __test__/process/hub.test.js.

'use strict';

const { Buffer } = require('buffer');

class Hub {
  /**
   * @param {Bridge} native
   * @param {Number} id What it is called there
   */
  constructor(native, id) {
    this._native = native;
    this._id = id;
  }

  /** The topics that somebody is subscribed to, in all threads. */
  get names() {
    return this._native.topicsInHub(this._id);
  }

  /** @return {Number} How many are subscribed, in all threads */
  countOf(name) {
    return this._native.countInHub(this._id, name);
  }

  /**
   * A connection in a lane is subscribed: its command is written.
   *
   * @param {Lane} lane
   * @param {Topic} topic
   * @return {Number} How many are subscribed, in all threads
   */
  join(lane, { id, name, numbers: { limit, code } }) {
    return this._native.joinHub(this._id, name, lane.index, id, limit, code);
  }

  /**
   * It is not any more: its command is written next.
   *
   * @param {String} name
   * @param {Lane} lane
   * @return {Number} How many are left, in all threads
   */
  leave(name, lane) {
    return this._native.leaveHub(this._id, name, lane.index);
  }

  /**
   * Gives a message to those who are subscribed in other threads, and in other processes if there
   * is a backbone.
   *
   * @param {String} name
   * @param {Number} opcode
   * @param {(String|Uint8Array)} payload Copied
   * @param {Boolean} compress
   * @param {Boolean} stays In this process
   * @param {Number[]} [skip] Recordings that do not get it
   * @return {Number} How many they are in other threads
   */
  publish(name, opcode, payload, compress, stays, skip) {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    return this._native.publishInHub(this._id, name, opcode, compress, bytes, stays, skip);
  }

  /**
   * Somebody is subscribed who is to be told of earlier messages first: until then, what is
   * published is taken down.
   *
   * @param {String} name
   * @param {Number} most Bytes
   * @return {Number[]} The recording's number, and how many are subscribed, in all threads
   */
  record(name, most) {
    return this._native.recordTopic(this._id, name, most);
  }

  /**
   * @param {String} name
   * @param {Number} recording
   * @param {?BackboneReplay} replay What it has is left out
   * @return {{opcode: Number, compress: Boolean, payload: Buffer}[]} What was taken down since
   */
  takeRecorded(name, recording, replay) {
    return this._native.takeRecorded(this._id, name, recording, replay);
  }

  /**
   * A connection gets what follows from its reactor, behind what it was sent so far.
   *
   * @param {Topic} topic
   * @param {Number} recording
   * @param {{lane: Lane, slot: Number, generation: Number}} place
   * @return {Number} 0 if there is more to be taken before, 2 if not all was taken down, else 1
   */
  joinRecorded({ id, name, numbers }, recording, { lane, slot, generation }) {
    const { limit, code } = numbers;
    const who = [lane.index, slot, generation];
    return this._native.joinRecorded(this._id, name, recording, ...who, id, limit, code);
  }

  /** It left before. @return {Number} How many are left, in all threads */
  stopRecording(name, recording) {
    return this._native.stopRecording(this._id, name, recording);
  }

  /**
   * Carries the topics to other processes.
   *
   * @param {Object} options
   * @param {Function} onNews Called when there is something to take
   * @return {BackboneHandle}
   */
  openBackbone(options, onNews) {
    return this._native.openBackbone(this._id, options, onNews);
  }

  /** This thread needs it no more. */
  closeBackbone(handle) {
    this._native.closeBackbone(this._id, handle);
  }
}

module.exports = Hub;
