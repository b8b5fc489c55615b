/// <reference types="node" />

import { EventEmitter } from 'events';
import {
  Agent,
  ClientRequest,
  IncomingMessage,
  OutgoingHttpHeaders,
  Server as HTTPServer
} from 'http';
import { Duplex } from 'stream';
import { URL } from 'url';

/** A connection to a peer, on either side. */
declare class WebSocket extends EventEmitter {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSING: 2;
  static readonly CLOSED: 3;

  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSING: 2;
  readonly CLOSED: 3;

  /** How binary messages arrive. */
  binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments';
  /** Bytes queued and not yet handed to the kernel, frame headers included. */
  readonly bufferedAmount: number;
  /** The extensions in use, as text. */
  readonly extensions: string;
  readonly isPaused: boolean;
  /** The subprotocol that the server chose, or ''. */
  readonly protocol: string;
  readonly readyState: 0 | 1 | 2 | 3;
  /** The URL of a client. */
  readonly url: string;

  onopen: ((event: WebSocket.Event) => void) | null;
  onerror: ((event: WebSocket.ErrorEvent) => void) | null;
  onclose: ((event: WebSocket.CloseEvent) => void) | null;
  onmessage: ((event: WebSocket.MessageEvent) => void) | null;

  constructor(address: null);
  constructor(address: string | URL, options?: WebSocket.ClientOptions);
  constructor(
    address: string | URL,
    protocols?: string | string[],
    options?: WebSocket.ClientOptions
  );

  /** Starts the closing handshake. Throws on a code or reason that must not be sent. */
  close(code?: number, reason?: string | Uint8Array): void;
  /** Closes the connection at once. */
  terminate(): void;
  /** Stops reading from the peer. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Sends a ping of at most 125 bytes. */
  ping(data?: any, mask?: boolean, callback?: (error?: Error) => void): void;
  /** Sends a pong of at most 125 bytes. */
  pong(data?: any, mask?: boolean, callback?: (error?: Error) => void): void;
  /** Sends a message; the callback comes when its bytes went to the kernel. */
  send(data: WebSocket.SendData, callback?: (error?: Error) => void): void;
  send(
    data: WebSocket.SendData,
    options: WebSocket.SendOptions,
    callback?: (error?: Error) => void
  ): void;

  addEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void },
    options?: { once?: boolean }
  ): void;
  removeEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void }
  ): void;

  on(event: 'open', listener: (this: WebSocket) => void): this;
  on(event: 'close', listener: (this: WebSocket, code: number, reason: Buffer) => void): this;
  on(event: 'error', listener: (this: WebSocket, error: Error) => void): this;
  on(
    event: 'message',
    listener: (this: WebSocket, data: WebSocket.RawData, isBinary: boolean) => void
  ): this;
  on(event: 'ping' | 'pong', listener: (this: WebSocket, data: Buffer) => void): this;
  on(event: 'upgrade', listener: (this: WebSocket, response: IncomingMessage) => void): this;
  on(
    event: 'unexpected-response',
    listener: (this: WebSocket, request: ClientRequest, response: IncomingMessage) => void
  ): this;
  on(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
}

declare namespace WebSocket {
  /** What arrives in a 'message' event. */
  type RawData = Buffer | ArrayBuffer | Buffer[];
  /** What can be sent. */
  type SendData =
    string | number | Buffer | DataView | ArrayBufferView | ArrayBufferLike | readonly number[];

  interface SendOptions {
    binary?: boolean;
    compress?: boolean;
    fin?: boolean;
    mask?: boolean;
  }

  interface ReceiveOptions {
    autoPong?: boolean;
    closeTimeout?: number;
    maxBufferedChunks?: number;
    maxFragments?: number;
    maxPayload?: number;
    maxPendingAutoPongs?: number;
    skipUTF8Validation?: boolean;
  }

  interface ClientOptions extends ReceiveOptions {
    agent?: Agent;
    auth?: string;
    finishRequest?(request: ClientRequest, websocket: WebSocket): void;
    handshakeTimeout?: number;
    headers?: OutgoingHttpHeaders;
    localAddress?: string;
    origin?: string;
    protocols?: string | string[];
    protocolVersion?: 8 | 13;
    [option: string]: any;
  }

  type VerifyClientSync = (info: {
    origin: string;
    secure: boolean;
    req: IncomingMessage;
  }) => boolean;
  type VerifyClientAsync = (
    info: { origin: string; secure: boolean; req: IncomingMessage },
    callback: (
      verified: boolean,
      code?: number,
      message?: string,
      headers?: OutgoingHttpHeaders
    ) => void
  ) => void;

  interface ServerOptions extends ReceiveOptions {
    backlog?: number;
    clientTracking?: boolean;
    handleProtocols?(protocols: Set<string>, request: IncomingMessage): string | false;
    host?: string;
    noServer?: boolean;
    path?: string;
    port?: number;
    server?: HTTPServer;
    verifyClient?: VerifyClientSync | VerifyClientAsync;
    WebSocket?: typeof WebSocket;
  }

  interface Event {
    readonly type: string;
    readonly target: WebSocket;
  }
  interface ErrorEvent extends Event {
    readonly error: any;
    readonly message: string;
  }
  interface CloseEvent extends Event {
    readonly code: number;
    readonly reason: string;
    readonly wasClean: boolean;
  }
  interface MessageEvent extends Event {
    readonly data: string | RawData;
  }
  interface WebSocketEventMap {
    open: Event;
    error: ErrorEvent;
    close: CloseEvent;
    message: MessageEvent;
  }

  /** Accepts connections. */
  class Server extends EventEmitter {
    readonly clients: Set<WebSocket>;
    readonly options: ServerOptions;

    constructor(options: ServerOptions, callback?: () => void);

    /** Where the server listens; null once it is closed. Throws in noServer mode. */
    address(): { address: string; family: string; port: number } | string | null;
    /** Stops accepting connections; those that are open stay open. */
    close(callback?: (error?: Error) => void): void;
    /** Answers an upgrade request. */
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Buffer,
      callback: (websocket: WebSocket, request: IncomingMessage) => void
    ): void;
    /** Whether this server answers a request; may be replaced. */
    shouldHandle(request: IncomingMessage): boolean | Promise<boolean>;

    on(
      event: 'connection',
      listener: (this: Server, websocket: WebSocket, request: IncomingMessage) => void
    ): this;
    on(event: 'error', listener: (this: Server, error: Error) => void): this;
    on(
      event: 'headers',
      listener: (this: Server, headers: string[], request: IncomingMessage) => void
    ): this;
    on(event: 'close' | 'listening', listener: (this: Server) => void): this;
    on(
      event: 'wsClientError',
      listener: (this: Server, error: Error, socket: Duplex, request: IncomingMessage) => void
    ): this;
    on(event: string | symbol, listener: (this: Server, ...args: any[]) => void): this;
  }

  const WebSocketServer: typeof Server;
  interface WebSocketServer extends Server {}
  const WebSocket: typeof WebSocketAlias;
  interface WebSocket extends WebSocketAlias {}

  /** The grammar of Sec-WebSocket-Extensions. */
  const extension: {
    format(extensions: Record<string, unknown>): string;
    parse(header: string): Record<string, Record<string, (string | true)[]>[]>;
  };
  /** The grammar of Sec-WebSocket-Protocol. */
  const subprotocol: { parse(header: string): Set<string> };
}

type WebSocketAlias = WebSocket;
declare const WebSocketAlias: typeof WebSocket;

export = WebSocket;
