'use strict';

const Throttle = require('../../lib/throttle');

/** How many messages pass at a time. */
function pass(throttle, now) {
  let count = 0;
  while (throttle.stopsUntil(now) === 0) {
    throttle.takeMessage(now);
    count++;
  }
  return count;
}

test.each([1, 3, 7, 10, 999, 12345])('%d a second', (messages) => {
  const throttle = new Throttle({ messages, bytes: 0, action: 'pause' });
  expect(pass(throttle, 1000)).toBe(messages);
  expect(pass(throttle, 1000)).toBe(0);
  let [now, seconds, count] = [1000, 0, 0];
  while (seconds < 5) {
    now = throttle.stopsUntil(now);
    count += pass(throttle, now);
    seconds = (now - 1000) / 1000;
    expect(count).toBeLessThanOrEqual(messages * seconds + 1);
  }
  expect(count).toBeGreaterThan(messages * (seconds - 1));
  // Silence fills the bucket, and no more than that.
  expect(pass(throttle, now + 60000)).toBe(messages);
});

test('bytes that were read already are paid for', () => {
  const throttle = new Throttle({ messages: 0, bytes: 1000, action: 'pause' });
  expect(throttle.takeBytes(65536, 0)).toBe(false);
  const at = throttle.stopsUntil(0);
  expect(at).toBeGreaterThan(64536);
  expect(at).toBeLessThan(65000);
  expect(throttle.stopsUntil(at)).toBe(0);
});

test('one that closes tells with the first that is too much', () => {
  const throttle = new Throttle({ messages: 2, bytes: 10, action: 'close' });
  expect([1, 2, 3].map(() => throttle.takeMessage(0))).toEqual([false, false, true]);
  expect(throttle.takeBytes(10, 0)).toBe(false);
  expect(throttle.takeBytes(1, 0)).toBe(true);
  expect(throttle.stopsUntil(0)).toBe(0);
});
