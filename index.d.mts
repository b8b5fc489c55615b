// What wrapper.mjs exports: fewer names at run time than index.js has on its class. `Server` is not
// among them; as a type it is, as in @types/ws.

import WebSocket from './index.js';

export default WebSocket;
export { WebSocket };
export import createWebSocketStream = WebSocket.createWebSocketStream;
export import extension = WebSocket.extension;
export import PerMessageDeflate = WebSocket.PerMessageDeflate;
export import Receiver = WebSocket.Receiver;
export import Sender = WebSocket.Sender;
export import subprotocol = WebSocket.subprotocol;
export import WebSocketServer = WebSocket.WebSocketServer;

export type {
  AddressInfo,
  BackboneMetrics,
  BackpressureMetrics,
  CertMeta,
  ClientInfo,
  ClientOptions,
  CloseEvent,
  ConnectionMetrics,
  Data,
  DrainOptions,
  DrainResult,
  DropMetrics,
  ErrorEvent,
  Event,
  EventListenerOptions,
  Events,
  FinishRequestCallback,
  FrameOptions,
  HeartbeatOptions,
  InboundLimitOptions,
  MessageEvent,
  Metrics,
  PerMessageDeflateOptions,
  RawData,
  ReactorMetrics,
  ReceiveOptions,
  SendData,
  SendOptions,
  Server,
  ServerEvents,
  ServerOptions,
  SocketOptions,
  ThreadMetrics,
  TopicMetrics,
  TrafficMetrics,
  TurnMetrics,
  VerifyClientCallbackAsync,
  VerifyClientCallbackSync,
  WebSocketEventMap
} from './index.js';
