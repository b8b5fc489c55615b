// Constants that several files of the facade share. Runs on: js.

'use strict';

module.exports = {
  CLOSE_TIMEOUT: 30000,
  /** For us only: who moved its memory to a thread would detach it for everybody. */
  EMPTY_BUFFER: Buffer.alloc(0),
  /** What users get instead. */
  emptyBuffer: () => Buffer.alloc(0),
  NOOP: () => {},
  // RFC 6455, section 5.2.
  OPCODES: { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 },
  PERMESSAGE_DEFLATE: 'permessage-deflate',
  READY_STATES: ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'],
  // Members of WebSocket that are no user's to hit: what it holds, and what transports call.
  kFailed: Symbol('kFailed'),
  kOnBackpressure: Symbol('kOnBackpressure'),
  kOnConclude: Symbol('kOnConclude'),
  kOnDisconnect: Symbol('kOnDisconnect'),
  kOnDropped: Symbol('kOnDropped'),
  kOnEnd: Symbol('kOnEnd'),
  kOnGone: Symbol('kOnGone'),
  kOnLimited: Symbol('kOnLimited'),
  kOnMessage: Symbol('kOnMessage'),
  kOnPing: Symbol('kOnPing'),
  kOnPong: Symbol('kOnPong'),
  kOnSendError: Symbol('kOnSendError'),
  kOnSocketError: Symbol('kOnSocketError'),
  kOnViolation: Symbol('kOnViolation'),
  kOpen: Symbol('kOpen'),
  kOptions: Symbol('kOptions'),
  kOutside: Symbol('kOutside'),
  kPressed: Symbol('kPressed'),
  kRelease: Symbol('kRelease'),
  kSetSocket: Symbol('kSetSocket'),
  kServer: Symbol('kServer'),
  kSubscriptions: Symbol('kSubscriptions'),
  kTopics: Symbol('kTopics'),
  kTransport: Symbol('kTransport'),
  kLimits: Symbol('kLimits'),
  kForOnEventAttribute: Symbol('kIsForOnEventAttribute'),
  kListener: Symbol('kListener'),
  kStatusCode: Symbol('status-code'),
  kWebSocket: Symbol('websocket')
};
