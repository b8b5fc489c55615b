// A first-in first-out queue whose ends cost the same, however long it is. Runs on: js.

'use strict';

// From here on the part that was taken is cut off once it is the larger one.
const MANY = 1024;

class Queue {
  constructor() {
    this._items = [];
    this._first = 0;
  }

  /** @type {Number} */
  get length() {
    return this._items.length - this._first;
  }

  /** @param {*} item */
  push(item) {
    this._items.push(item);
  }

  /** The first item, which stays, or undefined. */
  peek() {
    return this._items[this._first];
  }

  /** Items, the first one first. Nothing may be taken meanwhile. */
  *[Symbol.iterator]() {
    for (let at = this._first; at < this._items.length; at++) yield this._items[at];
  }

  /** @param {Array} items Put before the first one, in their order */
  unshift(items) {
    if (items.length === 0) return;
    if (items.length > this._first) {
      this._items = items.concat(this._items.slice(this._first));
      this._first = 0;
    } else {
      this._first -= items.length;
      for (let i = 0; i < items.length; i++) this._items[this._first + i] = items[i];
    }
  }

  /** Exchanges the item at a place, counted from the first one, and gives the former. */
  replace(place, item) {
    const former = this._items[this._first + place];
    this._items[this._first + place] = item;
    return former;
  }

  /** Takes the first item; undefined if there is none. */
  shift() {
    const { _items: items, _first: first } = this;
    if (first === items.length) return undefined;
    const item = items[first];
    items[first] = undefined;
    this._first = first + 1;
    if (this._first === items.length) {
      this._items = [];
      this._first = 0;
    } else if (this._first >= MANY && this._first * 2 >= items.length) {
      this._items = items.slice(this._first);
      this._first = 0;
    }
    return item;
  }
}

module.exports = Queue;
