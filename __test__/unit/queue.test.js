'use strict';

const Queue = require('../../lib/queue');

test('a queue gives back what it was given, in order', () => {
  const queue = new Queue();
  const model = [];
  let next = 0;
  for (let round = 0; round < 5000; round++) {
    for (let count = (round * 7) % 13; count > 0; count--) {
      queue.push(next);
      model.push(next++);
    }
    for (let count = (round * 11) % 14; count > 0; count--) {
      expect(queue.peek()).toBe(model[0]);
      expect(queue.shift()).toBe(model.shift());
    }
    // What was taken and is put back, less than that and more.
    const back = Array.from({ length: (round * 5) % 4 }, () => next++);
    if (round % 3 === 0) {
      queue.unshift(back);
      model.unshift(...back);
    }
    if (round % 100 === 0) expect([...queue]).toEqual(model);
    expect(queue.length).toBe(model.length);
  }
  while (model.length > 0) expect(queue.shift()).toBe(model.shift());
  expect(queue.shift()).toBeUndefined();
  expect(queue.peek()).toBeUndefined();
  expect(queue.length).toBe(0);
});

test('a long queue lets go of what was taken', () => {
  const queue = new Queue();
  for (let count = 0; count < 100000; count++) queue.push({});
  for (let count = 0; count < 99000; count++) queue.shift();
  expect(queue._items.length).toBeLessThan(2100);
});
