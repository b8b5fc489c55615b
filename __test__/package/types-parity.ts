// Compiled, not run: everything that @types/ws declares is declared here, too.
import Theirs = require('ws');
import Ours = require('../..');

/** Fails to compile unless its argument is never. */
type Nothing<T extends never> = T;

export type Statics = Nothing<Exclude<keyof typeof Theirs, keyof typeof Ours>>;
export type Instance = Nothing<Exclude<keyof Theirs, keyof Ours>>;
export type Server = Nothing<Exclude<keyof Theirs.Server, keyof Ours.Server>>;
export type ServerOptions = Nothing<Exclude<keyof Theirs.ServerOptions, keyof Ours.ServerOptions>>;
export type ClientOptions = Nothing<Exclude<keyof Theirs.ClientOptions, keyof Ours.ClientOptions>>;
export type Deflate = Nothing<
  Exclude<keyof Theirs.PerMessageDeflateOptions, keyof Ours.PerMessageDeflateOptions>
>;
export type EventMap = Nothing<
  Exclude<keyof Theirs.WebSocketEventMap, keyof Ours.WebSocketEventMap>
>;

// What is written for theirs is accepted by ours.
export const clientOptions = (options: Theirs.ClientOptions) =>
  new Ours('ws://localhost', options as Omit<Theirs.ClientOptions, 'finishRequest'>);
export const serverOptions = (
  options: Omit<Theirs.ServerOptions, 'WebSocket'>
): Omit<Ours.ServerOptions, 'WebSocket'> => options;
export const sendData = (websocket: Ours, data: Parameters<Theirs['send']>[0]) =>
  websocket.send(data);
export const rawData: (data: Ours.RawData) => Theirs.RawData = (data) => data;
export const theirRawData: (data: Theirs.RawData) => Ours.RawData = (data) => data;
export const address: (
  value: ReturnType<Ours.Server['address']>
) => ReturnType<Theirs.Server['address']> = (value) => value;
export const closed: (
  event: Omit<Ours.CloseEvent, 'target'>
) => Omit<Theirs.CloseEvent, 'target'> = (event) => event;
