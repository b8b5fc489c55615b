// Durations in buckets of three per cent. Used by load.js.

'use strict';

const STEP = Math.log(1.03);
// In milliseconds; what is faster counts as this.
const SHORTEST = 0.001;
const BUCKETS = 1024;

class Histogram {
  constructor() {
    this._buckets = new Float64Array(BUCKETS);
    this._count = 0;
  }

  /**
   * @param {Number} milliseconds
   * @param {Number} times How many took so long
   */
  record(milliseconds, times) {
    const index = Math.round(Math.log(Math.max(milliseconds, SHORTEST) / SHORTEST) / STEP);
    this._buckets[Math.min(index, BUCKETS - 1)] += times;
    this._count += times;
  }

  /**
   * @param {Number} share
   * @return {?Number} The milliseconds that this share of all do not exceed
   */
  quantile(share) {
    if (this._count === 0) return null;
    let seen = 0;
    const index = this._buckets.findIndex((count) => {
      seen += count;
      return seen >= this._count * share;
    });
    return SHORTEST * Math.exp(index * STEP);
  }

  /** @param {Histogram} other Whose durations are added to these */
  add(other) {
    other._buckets.forEach((count, index) => (this._buckets[index] += count));
    this._count += other._count;
  }
}

module.exports = Histogram;
