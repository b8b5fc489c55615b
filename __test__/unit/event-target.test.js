'use strict';

const { CloseEvent, ErrorEvent, Event, MessageEvent } = require('../../lib/event-target');
const WebSocket = require('../support/library');

const bare = () => new WebSocket(null, undefined, {});

/** The descriptor of an accessor that a class gives its objects. */
const accessor = (Class, name) => {
  const { configurable, enumerable, get, set } = Object.getOwnPropertyDescriptor(
    Class.prototype,
    name
  );
  return [configurable, enumerable, typeof get, typeof set];
};

describe('the event classes', () => {
  test.each([
    [Event, ['target', 'type']],
    [CloseEvent, ['code', 'reason', 'wasClean']],
    [ErrorEvent, ['error', 'message']],
    [MessageEvent, ['data']]
  ])('%p has enumerable getters', (Class, names) => {
    for (const name of names) {
      expect(accessor(Class, name)).toEqual([true, true, 'function', 'undefined']);
    }
    expect(new Class('x')).toBeInstanceOf(Event);
  });

  test('have defaults', () => {
    expect(new Event('a')).toMatchObject({ type: 'a', target: null });
    expect(new CloseEvent('a')).toMatchObject({ code: 0, reason: '', wasClean: false });
    expect(new ErrorEvent('a')).toMatchObject({ error: null, message: '' });
    expect(new MessageEvent('a')).toMatchObject({ data: null });
  });

  test('take what they are given', () => {
    const error = new Error('x');
    const close = { code: 1000, reason: 'r', wasClean: true };
    expect(new CloseEvent('a', close)).toMatchObject(close);
    expect(new ErrorEvent('a', { error, message: 'm' })).toMatchObject({ error, message: 'm' });
    expect(new MessageEvent('a', { data: 5 })).toMatchObject({ data: 5 });
  });
});

describe('on a WebSocket', () => {
  test('events carry what the emitter got', () => {
    const ws = bare();
    const seen = [];
    for (const type of ['open', 'message', 'close', 'error']) {
      ws.addEventListener(type, (event) => seen.push(event));
    }
    const bytes = Buffer.from('bytes');
    const error = new Error('oops');
    ws.emit('open');
    ws.emit('message', Buffer.from('text'), false);
    ws.emit('message', bytes, true);
    ws.emit('close', 1001, Buffer.from('gone'));
    ws.emit('error', error);
    expect(seen).toMatchObject([
      { type: 'open' },
      { type: 'message', data: 'text' },
      { type: 'message', data: bytes },
      { type: 'close', code: 1001, reason: 'gone', wasClean: false },
      { type: 'error', error, message: 'oops' }
    ]);
    expect(seen[2].data).toBe(bytes);
    expect(seen.every(({ target }) => target === ws)).toBe(true);
    expect(seen.map(({ constructor }) => constructor.name)).toEqual([
      'Event',
      'MessageEvent',
      'MessageEvent',
      'CloseEvent',
      'ErrorEvent'
    ]);
  });

  test('a listener is called with the WebSocket as this', () => {
    const ws = bare();
    const seen = [];
    ws.addEventListener('open', function () {
      seen.push(this);
    });
    ws.onopen = function () {
      seen.push(this);
    };
    ws.emit('open');
    expect(seen[0]).toBe(ws);
    expect(seen[1]).toBe(ws);
  });

  test('a listener may be an object with handleEvent', () => {
    const ws = bare();
    const listener = { handleEvent: jest.fn() };
    ws.addEventListener('open', listener);
    ws.emit('open');
    expect(listener.handleEvent).toHaveBeenCalledTimes(1);
    expect(listener.handleEvent.mock.contexts[0]).toBe(listener);
    ws.removeEventListener('open', listener);
    ws.emit('open');
    expect(listener.handleEvent).toHaveBeenCalledTimes(1);
  });

  test('the same listener is added once, whatever the options', () => {
    const ws = bare();
    const listener = jest.fn();
    ws.addEventListener('open', listener);
    ws.addEventListener('open', listener);
    ws.addEventListener('open', listener, { once: true });
    expect(ws.listenerCount('open')).toBe(1);
    ws.emit('open');
    ws.emit('open');
    expect(listener).toHaveBeenCalledTimes(2);
  });

  test('once', () => {
    const ws = bare();
    const listener = jest.fn();
    ws.addEventListener('message', listener, { once: true });
    ws.emit('message', Buffer.from('a'), false);
    ws.emit('message', Buffer.from('b'), false);
    expect(listener).toHaveBeenCalledTimes(1);
    expect(listener.mock.calls[0][0].data).toBe('a');
    ws.addEventListener('message', listener, { once: true });
    ws.removeEventListener('message', listener);
    expect(ws.listenerCount('message')).toBe(0);
  });

  test('other events are not listened to', () => {
    const ws = bare();
    for (const type of ['ping', 'upgrade', 'constructor', '__proto__']) {
      ws.addEventListener(type, () => {});
      expect(ws.listenerCount(type)).toBe(0);
    }
  });

  test('an attribute holds one listener, which a new one replaces at the end', () => {
    const ws = bare();
    const order = [];
    expect(ws.onopen).toBeNull();
    ws.onopen = () => order.push('first');
    ws.addEventListener('open', () => order.push('listener'));
    const second = () => order.push('second');
    ws.onopen = second;
    expect(ws.onopen).toBe(second);
    ws.emit('open');
    expect(order).toEqual(['listener', 'second']);
    ws.onopen = 'no function';
    expect(ws.onopen).toBeNull();
    expect(ws.listenerCount('open')).toBe(1);
  });

  test('an attribute and a listener may be the same function', () => {
    const ws = bare();
    const listener = jest.fn();
    ws.onclose = listener;
    ws.addEventListener('close', listener);
    ws.emit('close', 1000, Buffer.alloc(0));
    expect(listener).toHaveBeenCalledTimes(2);
    ws.removeEventListener('close', listener);
    expect(ws.onclose).toBe(listener);
    ws.onclose = null;
    expect(ws.listenerCount('close')).toBe(0);
  });

  test('what on() registered is neither an attribute nor removed as a listener', () => {
    const ws = bare();
    const listener = () => {};
    ws.on('message', listener);
    expect(ws.onmessage).toBeNull();
    ws.removeEventListener('message', listener);
    expect(ws.listenerCount('message')).toBe(1);
    ws.addEventListener('message', listener);
    ws.removeAllListeners('message');
    expect(ws.listenerCount('message')).toBe(0);
  });

  test.each(['onopen', 'onmessage', 'onclose', 'onerror'])('%s is an accessor', (name) => {
    expect(accessor(WebSocket, name)).toEqual([true, true, 'function', 'function']);
  });
});
