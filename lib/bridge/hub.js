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
   * @param {String} name
   * @param {Lane} lane
   * @param {Number} topic Its number
   * @return {Number} How many are subscribed, in all threads
   */
  join(name, lane, topic) {
    return this._native.joinHub(this._id, name, lane.index, topic);
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
   * @return {Number} How many they are in other threads
   */
  publish(name, opcode, payload, compress, stays) {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    return this._native.publishInHub(this._id, name, opcode, compress, bytes, stays);
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
