// Random choices that are the same for the same seeds. Used by the peers of the soak.

'use strict';

class Dice {
  /** @param {...Number} seeds */
  constructor(...seeds) {
    this._state = seeds.reduce((state, seed) => mix(state ^ seed), 0x9e3779b9);
  }

  /** @return {Number} A whole number from 0 to `limit` - 1 */
  below(limit) {
    this._state = (this._state + 0x6d2b79f5) | 0;
    return mix(this._state) % limit;
  }

  /** @return {Number} A whole number from `least` to `most` */
  between(least, most) {
    return least + this.below(most - least + 1);
  }

  chance(oneIn) {
    return this.below(oneIn) === 0;
  }

  oneOf(list) {
    return list[this.below(list.length)];
  }
}

// The finalizer of MurmurHash3.
function mix(value) {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

module.exports = Dice;
