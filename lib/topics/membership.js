// The topics of a WebSocket.
//
// Owns: a compact set (most WebSockets have few topics), topics by number, and the list that each topic
// keeps of members whose messages JavaScript passes on: those on streams, and native
// ones while a Blob of theirs is read. Used by registry.js and native-transport.js.
// Runs on: js. Tests: __test__/api/topics.test.js.

'use strict';

const { kServer, kSubscriptions, kTopics } = require('../constants');
const { numbersOf } = require('../policies');

// Up to here a list is searched.
const LONGEST_LIST = 16;

class Topic {
  /**
   * @param {Number} id What reactors call it
   * @param {String} name
   * @param {?{limit: Number, policy: String}} rule How much of it may wait for a peer
   */
  constructor(id, name, rule) {
    this.id = id;
    this.name = name;
    this.rule = rule;
    /** The same in numbers. */
    this.numbers = numbersOf(rule);
    /** How many are subscribed. */
    this.count = 0;
    /** Bit set of lanes in which there may be members. */
    this.lanes = 0;
    /** Members whose messages JavaScript passes on. */
    this.byHand = null;
    /** Members who are to be told of earlier messages first, and their recoveries. */
    this.recovering = null;
  }
}

// By their numbers.
const topics = [];

/** A topic begins. */
function enter(topic) {
  topics[topic.id] = topic;
}

/** It has no members any more. */
function forget(topic) {
  topics[topic.id] = null;
}

/**
 * @param {Number} id
 * @return {?Topic}
 */
function topicOf(id) {
  return id < topics.length ? topics[id] : null;
}

// A set is null, a Topic, an array of up to LONGEST_LIST, or a Set.

/** @return {Boolean} Whether a WebSocket is subscribed to a topic */
function has(websocket, topic) {
  const set = websocket[kSubscriptions];
  if (set === null) return false;
  if (set instanceof Topic) return set === topic;
  return Array.isArray(set) ? set.includes(topic) : set.has(topic);
}

/** Adds a topic that is not there. */
function add(websocket, topic) {
  const set = websocket[kSubscriptions];
  if (set === null) websocket[kSubscriptions] = topic;
  else if (set instanceof Topic) websocket[kSubscriptions] = [set, topic];
  else if (!Array.isArray(set)) set.add(topic);
  else if (set.length < LONGEST_LIST) set.push(topic);
  else websocket[kSubscriptions] = new Set(set).add(topic);
}

/** Removes a topic that is there. */
function remove(websocket, topic) {
  const set = websocket[kSubscriptions];
  if (Array.isArray(set)) {
    const last = set.pop();
    if (last !== topic) set[set.indexOf(topic)] = last;
    if (set.length === 1) [websocket[kSubscriptions]] = set;
  } else if (set instanceof Topic) {
    websocket[kSubscriptions] = null;
  } else {
    set.delete(topic);
    if (set.size === 0) websocket[kSubscriptions] = null;
  }
}

/** @return {Number} How many there are */
function size(websocket) {
  const set = websocket[kSubscriptions];
  if (set === null) return 0;
  if (set instanceof Topic) return 1;
  return Array.isArray(set) ? set.length : set.size;
}

/** @return {Topic[]} */
function topicsOf(websocket) {
  const set = websocket[kSubscriptions];
  if (set === null) return [];
  return set instanceof Topic ? [set] : [...set];
}

/** Whether a WebSocket has topics that threads share. */
function sharesTopics(websocket) {
  return websocket[kSubscriptions] !== null && websocket[kServer][kTopics].isShared;
}

/** From here on JavaScript passes on what is published to a WebSocket. */
function keepByHand(websocket) {
  for (const topic of topicsOf(websocket)) {
    if (!isRecovering(topic, websocket)) addByHand(topic, websocket);
  }
}

/** From here on its reactor does. */
function leaveToReactor(websocket) {
  for (const topic of topicsOf(websocket)) removeByHand(topic, websocket);
}

/** Whether what is published to a member is taken down for it. */
function isRecovering({ recovering }, websocket) {
  return recovering !== null && recovering.has(websocket);
}

function addByHand(topic, websocket) {
  if (topic.byHand === null) topic.byHand = new Set();
  topic.byHand.add(websocket);
}

function removeByHand(topic, websocket) {
  if (topic.byHand === null) return;
  topic.byHand.delete(websocket);
  if (topic.byHand.size === 0) topic.byHand = null;
}

module.exports = {
  Topic,
  add,
  addByHand,
  enter,
  forget,
  has,
  isRecovering,
  keepByHand,
  leaveToReactor,
  remove,
  removeByHand,
  sharesTopics,
  size,
  topicOf,
  topicsOf
};
