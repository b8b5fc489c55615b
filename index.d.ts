/// <reference types="node" />

import { EventEmitter } from 'events';
import {
  Agent,
  ClientRequest,
  ClientRequestArgs,
  IncomingMessage,
  OutgoingHttpHeaders,
  Server as HTTPServer
} from 'http';
import { Server as HTTPSServer } from 'https';
import { createConnection } from 'net';
import { Duplex, DuplexOptions, Writable } from 'stream';
import { SecureContextOptions } from 'tls';
import { URL } from 'url';
import { ZlibOptions } from 'zlib';

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

  /** How binary messages arrive. A Blob arrives as `RawData` only by assertion. */
  binaryType: 'nodebuffer' | 'arraybuffer' | 'fragments' | 'blob';
  /** Bytes queued and not yet handed to the kernel, frame headers included. */
  readonly bufferedAmount: number;
  /** The extensions in use, as text. */
  readonly extensions: string;
  readonly isPaused: boolean;
  /** The subprotocol that the server chose, or ''. */
  readonly protocol: string;
  readonly readyState:
    | typeof WebSocket.CONNECTING
    | typeof WebSocket.OPEN
    | typeof WebSocket.CLOSING
    | typeof WebSocket.CLOSED;
  /** The URL of a client. */
  readonly url: string;

  onopen: ((event: WebSocket.Event) => void) | null;
  onerror: ((event: WebSocket.ErrorEvent) => void) | null;
  onclose: ((event: WebSocket.CloseEvent) => void) | null;
  onmessage: ((event: WebSocket.MessageEvent) => void) | null;

  constructor(address: null);
  /** The server's end of a connection, before `setSocket()`. */
  constructor(address: null, protocols: undefined, options: WebSocket.ReceiveOptions);
  constructor(address: string | URL, options?: WebSocket.ClientOptions | ClientRequestArgs);
  constructor(
    address: string | URL,
    protocols?: string | string[],
    options?: WebSocket.ClientOptions | ClientRequestArgs
  );

  /** Puts the WebSocket on a socket whose handshake was made elsewhere. */
  setSocket(socket: Duplex, head: Buffer, options: WebSocket.SocketOptions): void;
  /** Starts the closing handshake. Throws on a code or reason that must not be sent. */
  close(code?: number, reason?: string | Uint8Array): void;
  /** Closes the connection at once. */
  terminate(): void;
  /** Stops reading from the peer. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Sends a ping of at most 125 bytes. */
  ping(data?: any, mask?: boolean, callback?: (error: Error) => void): void;
  /** Sends a pong of at most 125 bytes. */
  pong(data?: any, mask?: boolean, callback?: (error: Error) => void): void;
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
    options?: WebSocket.EventListenerOptions
  ): void;
  removeEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void }
  ): void;

  on<K extends keyof WebSocket.Events>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocket.Events[K]) => void
  ): this;
  on(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  once<K extends keyof WebSocket.Events>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocket.Events[K]) => void
  ): this;
  once(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  off<K extends keyof WebSocket.Events>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocket.Events[K]) => void
  ): this;
  off(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  addListener<K extends keyof WebSocket.Events>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocket.Events[K]) => void
  ): this;
  addListener(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  removeListener<K extends keyof WebSocket.Events>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocket.Events[K]) => void
  ): this;
  removeListener(event: string | symbol, listener: (this: WebSocket, ...args: any[]) => void): this;
  prependListener<K extends keyof WebSocket.Events>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocket.Events[K]) => void
  ): this;
  prependListener(
    event: string | symbol,
    listener: (this: WebSocket, ...args: any[]) => void
  ): this;
  prependOnceListener<K extends keyof WebSocket.Events>(
    event: K,
    listener: (this: WebSocket, ...args: WebSocket.Events[K]) => void
  ): this;
  prependOnceListener(
    event: string | symbol,
    listener: (this: WebSocket, ...args: any[]) => void
  ): this;
}

declare namespace WebSocket {
  /** What arrives in a 'message' event. */
  type RawData = Buffer | ArrayBuffer | Buffer[];
  /** What arrives in the `data` of a message event. */
  type Data = string | Buffer | ArrayBuffer | Buffer[];
  /** What can be sent: everything that `Buffer.from()` takes, numbers and Blobs. */
  type SendData =
    | string
    | number
    | Buffer
    | DataView
    | ArrayBufferView
    | Uint8Array
    | ArrayBuffer
    | SharedArrayBuffer
    | Blob
    | readonly any[]
    | { valueOf(): ArrayBuffer | SharedArrayBuffer | Uint8Array | readonly number[] | string }
    | { [Symbol.toPrimitive](hint: string): string };
  type CertMeta = string | string[] | Buffer | Buffer[];

  /** The arguments of a WebSocket's events. */
  interface Events {
    open: [];
    message: [data: RawData, isBinary: boolean];
    ping: [data: Buffer];
    pong: [data: Buffer];
    close: [code: number, reason: Buffer];
    error: [error: Error];
    /** Client: the response that accepts, before it is checked. */
    upgrade: [response: IncomingMessage];
    /** Client: before a redirect is followed. */
    redirect: [url: string, request: ClientRequest];
    /** Client: any other response. */
    'unexpected-response': [request: ClientRequest, response: IncomingMessage];
  }

  interface SendOptions {
    binary?: boolean | undefined;
    compress?: boolean | undefined;
    fin?: boolean | undefined;
    mask?: boolean | undefined;
  }

  /** What `setSocket()` looks at. */
  interface SocketOptions {
    allowSynchronousEvents?: boolean | undefined;
    /** Fills its argument, 4 bytes, with a masking key. */
    generateMask?(mask: Buffer): void;
    maxBufferedChunks?: number | undefined;
    maxFragments?: number | undefined;
    /** In bytes. */
    maxPayload?: number | undefined;
    skipUTF8Validation?: boolean | undefined;
  }

  interface ReceiveOptions extends SocketOptions {
    autoPong?: boolean | undefined;
    /** Milliseconds that the closing handshake may take. */
    closeTimeout?: number | undefined;
    maxPendingAutoPongs?: number | undefined;
  }

  type FinishRequestCallback = (request: ClientRequest, websocket: WebSocket) => void;

  /** Whatever is not listed goes to `http.request()`, `net.connect()` or `tls.connect()`. */
  interface ClientOptions extends ReceiveOptions, SecureContextOptions {
    agent?: Agent | undefined;
    auth?: string | undefined;
    checkServerIdentity?(servername: string, cert: CertMeta): boolean;
    createConnection?: typeof createConnection | undefined;
    family?: number | undefined;
    finishRequest?: FinishRequestCallback | undefined;
    followRedirects?: boolean | undefined;
    /** Milliseconds without news from the server. */
    handshakeTimeout?: number | undefined;
    headers?: { [key: string]: string } | undefined;
    host?: string | undefined;
    localAddress?: string | undefined;
    maxRedirects?: number | undefined;
    origin?: string | undefined;
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
    protocol?: string | undefined;
    protocols?: string | string[] | undefined;
    protocolVersion?: number | undefined;
    rejectUnauthorized?: boolean | undefined;
    servername?: string | undefined;
    signal?: AbortSignal | undefined;
  }

  interface PerMessageDeflateOptions {
    clientMaxWindowBits?: number | undefined;
    clientNoContextTakeover?: boolean | undefined;
    concurrencyLimit?: number | undefined;
    serverMaxWindowBits?: number | undefined;
    serverNoContextTakeover?: boolean | undefined;
    threshold?: number | undefined;
    zlibDeflateOptions?:
      | {
          chunkSize?: number | undefined;
          dictionary?: Buffer | Buffer[] | DataView | undefined;
          finishFlush?: number | undefined;
          flush?: number | undefined;
          info?: boolean | undefined;
          level?: number | undefined;
          memLevel?: number | undefined;
          strategy?: number | undefined;
          windowBits?: number | undefined;
        }
      | undefined;
    zlibInflateOptions?: ZlibOptions | undefined;
  }

  /** What `verifyClient` is asked about. */
  interface ClientInfo<Request extends IncomingMessage = IncomingMessage> {
    origin: string;
    secure: boolean;
    req: Request;
  }
  type VerifyClientCallbackSync<Request extends IncomingMessage = IncomingMessage> = (
    info: ClientInfo<Request>
  ) => boolean;
  type VerifyClientCallbackAsync<Request extends IncomingMessage = IncomingMessage> = (
    info: ClientInfo<Request>,
    callback: (
      verified: boolean,
      code?: number,
      message?: string,
      headers?: OutgoingHttpHeaders
    ) => void
  ) => void;

  interface ServerOptions<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > extends ReceiveOptions {
    backlog?: number | undefined;
    clientTracking?: boolean | undefined;
    handleProtocols?: (protocols: Set<string>, request: InstanceType<U>) => string | false;
    host?: string | undefined;
    noServer?: boolean | undefined;
    path?: string | undefined;
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
    port?: number | undefined;
    server?: HTTPServer<U> | HTTPSServer<U> | undefined;
    verifyClient?:
      | VerifyClientCallbackAsync<InstanceType<U>>
      | VerifyClientCallbackSync<InstanceType<U>>
      | undefined;
    WebSocket?: T | undefined;
  }

  interface AddressInfo {
    address: string;
    family: string;
    port: number;
  }

  interface EventListenerOptions {
    once?: boolean | undefined;
  }

  interface Event {
    type: string;
    target: WebSocket;
  }
  interface ErrorEvent extends Event {
    error: any;
    message: string;
  }
  interface CloseEvent extends Event {
    code: number;
    reason: string;
    wasClean: boolean;
  }
  interface MessageEvent extends Event {
    data: Data;
  }
  interface WebSocketEventMap {
    open: Event;
    error: ErrorEvent;
    close: CloseEvent;
    message: MessageEvent;
  }

  /** The arguments of a server's events. */
  interface ServerEvents<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > {
    connection: [websocket: InstanceType<T>, request: InstanceType<U>];
    error: [error: Error];
    /** The lines of the response may be changed. */
    headers: [headers: string[], request: InstanceType<U>];
    close: [];
    listening: [];
    wsClientError: [error: Error, socket: Duplex, request: InstanceType<U>];
  }

  /** Accepts connections. */
  class Server<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > extends EventEmitter {
    clients: Set<InstanceType<T>>;
    options: ServerOptions<T, U>;
    /** Not set by the server: some frameworks keep theirs here. */
    path: string;

    constructor(options?: ServerOptions<T, U>, callback?: () => void);

    /** Where the server listens; null once it is closed. Throws in noServer mode. */
    address(): AddressInfo | string | null;
    /** Stops accepting connections; those that are open stay open. */
    close(callback?: (error?: Error) => void): void;
    /** Answers an upgrade request. */
    handleUpgrade(
      request: InstanceType<U>,
      socket: Duplex,
      upgradeHead: Buffer,
      callback: (client: InstanceType<T>, request: InstanceType<U>) => void
    ): void;
    /** Whether this server answers a request; may be replaced. */
    shouldHandle(request: InstanceType<U>): boolean | Promise<boolean>;

    on<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T, U>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    on(event: string | symbol, listener: (this: Server<T, U>, ...args: any[]) => void): this;
    once<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T, U>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    once(event: string | symbol, listener: (this: Server<T, U>, ...args: any[]) => void): this;
    off<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T, U>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    off(event: string | symbol, listener: (this: Server<T, U>, ...args: any[]) => void): this;
    addListener<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T, U>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    addListener(
      event: string | symbol,
      listener: (this: Server<T, U>, ...args: any[]) => void
    ): this;
    removeListener<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T, U>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    removeListener(
      event: string | symbol,
      listener: (this: Server<T, U>, ...args: any[]) => void
    ): this;
    prependListener<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T, U>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    prependListener(
      event: string | symbol,
      listener: (this: Server<T, U>, ...args: any[]) => void
    ): this;
    prependOnceListener<K extends keyof ServerEvents<T, U>>(
      event: K,
      listener: (this: Server<T, U>, ...args: ServerEvents<T, U>[K]) => void
    ): this;
    prependOnceListener(
      event: string | symbol,
      listener: (this: Server<T, U>, ...args: any[]) => void
    ): this;
  }

  const WebSocketServer: typeof Server;
  interface WebSocketServer<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > extends Server<T, U> {}
  const WebSocket: typeof WebSocketAlias;
  interface WebSocket extends WebSocketAlias {}

  /** Wraps a WebSocket in a Duplex stream with backpressure both ways. */
  function createWebSocketStream(websocket: WebSocket, options?: DuplexOptions): Duplex;

  /** Decodes frames; emits 'message', 'ping', 'pong', 'conclude' and 'error'. */
  class Receiver extends Writable {
    constructor(
      options?: SocketOptions & {
        binaryType?: WebSocketAlias['binaryType'] | undefined;
        extensions?: Record<string, PerMessageDeflate> | undefined;
        isServer?: boolean | undefined;
      }
    );
  }

  /** A frame to build. */
  interface FrameOptions {
    fin?: boolean | undefined;
    generateMask?(mask: Buffer): void;
    mask?: boolean | undefined;
    maskBuffer?: Buffer | undefined;
    opcode: number;
    /** Whether the data must not be masked in place. */
    readOnly?: boolean | undefined;
    rsv1?: boolean | undefined;
  }

  /** Frames and writes to a stream. */
  class Sender {
    constructor(
      socket: Duplex,
      extensions?: Record<string, PerMessageDeflate>,
      generateMask?: (mask: Buffer) => void
    );
    /** The header, or the whole frame, and perhaps the payload. */
    static frame(data: Buffer | string, options: FrameOptions): (Buffer | string)[];
    close(
      code?: number,
      data?: string | Uint8Array,
      mask?: boolean,
      callback?: (error?: Error) => void
    ): void;
    ping(data: any, mask?: boolean, callback?: (error?: Error) => void): void;
    pong(data: any, mask?: boolean, callback?: (error?: Error) => void): void;
    send(data: SendData, options: SendOptions, callback?: (error?: Error) => void): void;
    /** Writes a frame that is built already. */
    sendFrame(list: (Buffer | string)[], callback?: (error?: Error) => void): void;
  }

  /** permessage-deflate (RFC 7692): its negotiation, and compression by Node's zlib. */
  class PerMessageDeflate {
    static readonly extensionName: string;
    /** The parameters agreed on, null before. */
    params: Record<string, true | number> | null;
    constructor(options?: PerMessageDeflateOptions & { isServer?: boolean; maxPayload?: number });
    /** Accepts an offer or an answer. Throws if there is none to accept. */
    accept(configurations: Record<string, (string | true)[]>[]): Record<string, true | number>;
    offer(): Record<string, true | number>;
    /** Lets go of the zlib streams. */
    cleanup(): void;
    /** Compresses the payload of a frame; one call at a time. */
    compress(
      data: Buffer | string,
      fin: boolean,
      callback: (error: Error | null, result?: Buffer) => void
    ): void;
    /** Decompresses the payload of a frame; one call at a time. */
    decompress(
      data: Buffer,
      fin: boolean,
      callback: (error: Error | null, result?: Buffer) => void
    ): void;
  }

  /** The grammar of Sec-WebSocket-Extensions. */
  const extension: {
    format(extensions: Record<string, unknown>): string;
    parse(header: string): Record<string, Record<string, (string | true)[]>[]>;
  };
  /** The grammar of Sec-WebSocket-Protocol. */
  const subprotocol: { parse(header: string): Set<string> };
}

declare const WebSocketAlias: typeof WebSocket;
interface WebSocketAlias extends WebSocket {}

export = WebSocket;
