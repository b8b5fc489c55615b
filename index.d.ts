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
  /** The handshake is not finished. */
  static readonly CONNECTING: 0;
  /** Messages can be sent. */
  static readonly OPEN: 1;
  /** The closing handshake has begun. */
  static readonly CLOSING: 2;
  /** The connection is closed, or was never made. */
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
  /** Whether `pause()` was called and `resume()` was not. */
  readonly isPaused: boolean;
  /** The subprotocol that the server chose, or ''. */
  readonly protocol: string;
  /** One of the four constants. */
  readonly readyState:
    | typeof WebSocket.CONNECTING
    | typeof WebSocket.OPEN
    | typeof WebSocket.CLOSING
    | typeof WebSocket.CLOSED;
  /** The URL of a client. */
  readonly url: string;

  /** A listener for 'open'. */
  onopen: ((event: WebSocket.Event) => void) | null;
  /** A listener for 'error'. */
  onerror: ((event: WebSocket.ErrorEvent) => void) | null;
  /** A listener for 'close'. */
  onclose: ((event: WebSocket.CloseEvent) => void) | null;
  /** A listener for 'message'. */
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

  /**
   * Prepares a message that several WebSockets are to send: it is framed once, and compressed once
   * for all that compress alike.
   */
  static prepare(
    data: WebSocket.SendData,
    options?: Pick<WebSocket.PublishOptions, 'binary' | 'compress'>
  ): WebSocket.PreparedMessage;

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
  send(
    data: WebSocket.SendData | WebSocket.PreparedMessage,
    callback?: (error?: Error) => void
  ): void;
  send(
    data: WebSocket.SendData | WebSocket.PreparedMessage,
    options: WebSocket.SendOptions,
    callback?: (error?: Error) => void
  ): void;

  /** The topics that it is subscribed to, until it begins to close. */
  readonly subscriptions: string[];
  /**
   * Subscribes to a topic of the server, whose WebSocket this must be. False if it was subscribed,
   * or is not open any more.
   */
  subscribe(topic: string, options?: WebSocket.SubscribeOptions | null): boolean;
  /** Leaves a topic. What was published before still comes. False if it was not subscribed. */
  unsubscribe(topic: string): boolean;
  /** Whether it is subscribed to a topic. */
  isSubscribed(topic: string): boolean;
  /** Gives a message to everybody else who is subscribed to a topic. Returns how many get it. */
  publish(topic: string, data: WebSocket.SendData, options?: WebSocket.PublishOptions): number;

  /** Adds a listener as browsers do: it gets an event object, and text messages as strings. */
  addEventListener<K extends keyof WebSocket.WebSocketEventMap>(
    type: K,
    listener:
      | ((event: WebSocket.WebSocketEventMap[K]) => void)
      | { handleEvent(event: WebSocket.WebSocketEventMap[K]): void },
    options?: WebSocket.EventListenerOptions
  ): void;
  /** Removes a listener that `addEventListener()` added. */
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
    /** The connection is established. */
    open: [];
    /** A message arrived. Text comes as bytes, too; `isBinary` tells. */
    message: [data: RawData, isBinary: boolean];
    /** A ping arrived; by default it was answered. */
    ping: [data: Buffer];
    /** A pong arrived. */
    pong: [data: Buffer];
    /** The connection is closed. 1005: no code came, 1006: no close frame came. */
    close: [code: number, reason: Buffer];
    /** Something went wrong; 'close' follows. */
    error: [error: Error];
    /** Server with `maxBackpressure`: a message did not fit into what may wait. */
    backpressure: [];
    /** Server with `maxBackpressure`: after 'backpressure', half of it is free again. */
    drain: [];
    /**
     * Server with `onBackpressure`: how many messages were dropped since the last such event, and
     * the bytes of their payloads.
     */
    dropped: [messages: number, bytes: number];
    /** Client: the response that accepts, before it is checked. */
    upgrade: [response: IncomingMessage];
    /** Client: before a redirect is followed. */
    redirect: [url: string, request: ClientRequest];
    /** Client: any other response. */
    'unexpected-response': [request: ClientRequest, response: IncomingMessage];
  }

  /** What `prepare()` returns. */
  interface PreparedMessage {
    /** The bytes of the message. */
    readonly data: Buffer;
    /** Whether it is compressed where that was negotiated. */
    readonly compress: boolean;
  }

  interface PublishOptions {
    /** Whether the message is binary. Default: false for strings and numbers, else true. */
    binary?: boolean | undefined;
    /** Whether to compress, where permessage-deflate was negotiated. Default: true. */
    compress?: boolean | undefined;
    /** Who does not get the message: one WebSocket or several. */
    except?: WebSocket | Iterable<WebSocket> | null | undefined;
    /** Whether it stays in this process, with a backbone, too. Default: false. */
    local?: boolean | undefined;
  }

  /** How much of a topic may wait for one peer. */
  interface TopicPolicy {
    /** Bytes of its messages, as they would be on the wire uncompressed: 1 to 2^32 - 1. */
    maxBackpressure: number;
    /** What becomes of one that exceeds them. Default: 'buffer'. */
    onBackpressure?: 'buffer' | 'drop-newest' | 'drop-oldest' | 'latest' | 'close' | undefined;
  }

  interface SubscribeOptions {
    /**
     * A position in the topic's history: what was published after it comes first. Throws a TypeError
     * where no history is kept.
     */
    since?: string | null | undefined;
  }

  /** What a WebSocket that subscribed with `since` had missed. */
  interface HistoryEvent {
    /** The topic. */
    topic: string;
    /** Whether it got all that it had missed. */
    complete: boolean;
    /** How many messages that were. */
    messages: number;
    /** Where the history ended with them, if the engine said so. */
    position: string | undefined;
  }

  /** How topics are carried to other processes. */
  interface BackboneOptions {
    /** Where the engine is; several are tried one after the other. */
    url: string | URL | string[];
    /** Before the names of topics at the engine. Default: by the engine, `ferrows:` or `ferrows.`. */
    prefix?: string | undefined;
    /** Whether and how to speak TLS. Default: as the URL says. */
    tls?: boolean | BackboneTlsOptions | null | undefined;
    /** Who we are, instead of what the URL says. */
    credentials?: BackboneCredentials | null | undefined;
    /** How many bytes may wait for the engine. Default: 16777216. */
    maxQueue?: number | undefined;
    /** What becomes of more. Default: `drop-oldest`. */
    onOverflow?: 'drop-oldest' | 'drop-newest' | undefined;
    /** How long the engine may take to answer, in milliseconds. Default: 5000. */
    timeout?: number | undefined;
    /** Whether the engine keeps what was published last to each topic, and what. Default: no. */
    history?: boolean | BackboneHistoryOptions | null | undefined;
  }

  /** What an engine keeps of each topic. */
  interface BackboneHistoryOptions {
    /** How many messages. Default: 100. */
    size?: number | undefined;
    /** For how long, in milliseconds. Default: 300000. */
    ttl?: number | undefined;
  }

  /** How to speak TLS with an engine, in PEM. */
  interface BackboneTlsOptions {
    /** Who may vouch for the engine. Default: whom Node trusts. */
    ca?: string | Uint8Array | Array<string | Uint8Array> | undefined;
    /** Our certificate. */
    cert?: string | Uint8Array | Array<string | Uint8Array> | undefined;
    /** Its key. */
    key?: string | Uint8Array | Array<string | Uint8Array> | undefined;
    /** Whose certificate is expected, if not the host's. Redis only. */
    servername?: string | undefined;
  }

  /** Who we are to an engine. */
  interface BackboneCredentials {
    /** The user. */
    username?: string | undefined;
    /** The password. */
    password?: string | undefined;
    /** A token, for NATS. */
    token?: string | undefined;
  }

  /** Something that happened to a backbone. */
  type BackboneEvent =
    | { type: 'connected'; address: string; version: string }
    | { type: 'lost' | 'error'; address: string; error: BackboneError }
    | { type: 'gap'; topic: string; reason: 'outage' | 'missed' }
    | { type: 'dropped'; messages: number; bytes: number };

  /** What went wrong with an engine. */
  interface BackboneError extends Error {
    /** A code of the operating system's, or one that begins with `FERROWS_ERR_BACKBONE_`. */
    code: string;
    /** The engine's address, without credentials. */
    address: string;
  }

  interface SendOptions {
    /** Whether the message is binary. Default: false for strings and numbers, else true. */
    binary?: boolean | undefined;
    /** Whether to compress, if permessage-deflate was negotiated. Default: true. */
    compress?: boolean | undefined;
    /** Whether this is the last fragment of a message. Default: true. */
    fin?: boolean | undefined;
    /** Whether to mask. Default: true for clients, false for servers. */
    mask?: boolean | undefined;
  }

  /** What `setSocket()` looks at. */
  interface SocketOptions {
    /**
     * Whether several 'message', 'ping' and 'pong' events may be emitted in one turn of the
     * event loop. Default: true.
     */
    allowSynchronousEvents?: boolean | undefined;
    /** Fills its argument, 4 bytes, with a masking key. */
    generateMask?(mask: Buffer): void;
    /**
     * Pieces of incoming data that may be held for one frame or message, 0: any number.
     * Default: 262144.
     */
    maxBufferedChunks?: number | undefined;
    /** Fragments of a message, 0: any number. Default: 16384. */
    maxFragments?: number | undefined;
    /** Bytes of a message, inflated, 0: any number. Default: 104857600 (100 MiB). */
    maxPayload?: number | undefined;
    /** Whether text and close reasons are accepted unchecked. Default: false. */
    skipUTF8Validation?: boolean | undefined;
  }

  interface ReceiveOptions extends SocketOptions {
    /** Whether pings are answered. Default: true. */
    autoPong?: boolean | undefined;
    /** Milliseconds that the closing handshake may take. Default: 30000. */
    closeTimeout?: number | undefined;
    /**
     * Answers to pings that may wait to be written before the connection is terminated, 0:
     * any number. Default: 60.
     */
    maxPendingAutoPongs?: number | undefined;
  }

  type FinishRequestCallback = (request: ClientRequest, websocket: WebSocket) => void;

  /** Whatever is not listed goes to `http.request()`, `net.connect()` or `tls.connect()`. */
  interface ClientOptions extends ReceiveOptions, SecureContextOptions {
    /** The agent for the request. Default: none, one connection for each WebSocket. */
    agent?: Agent | undefined;
    /** Credentials for Basic authentication, `user:password`. Default: those of the URL. */
    auth?: string | undefined;
    /** Checks the certificate of a server, as `tls.connect()` takes it. */
    checkServerIdentity?(servername: string, cert: CertMeta): boolean;
    /** Makes the socket. Default: `net.connect()` or `tls.connect()`. */
    createConnection?: typeof createConnection | undefined;
    /** 4 or 6, as `net.connect()` takes it. */
    family?: number | undefined;
    /** Called instead of `request.end()`, which it must call in the end. Default: none. */
    finishRequest?: FinishRequestCallback | undefined;
    /** Whether redirects are followed. Default: false. */
    followRedirects?: boolean | undefined;
    /** Milliseconds without news from the server before the handshake fails. Default: none. */
    handshakeTimeout?: number | undefined;
    /** More headers of the request. */
    headers?: { [key: string]: string } | undefined;
    /** Overwritten by the host of the URL. */
    host?: string | undefined;
    /** The local address to connect from. */
    localAddress?: string | undefined;
    /** How many redirects are followed. Default: 10. */
    maxRedirects?: number | undefined;
    /** The value of the header Origin, or of Sec-WebSocket-Origin with version 8. */
    origin?: string | undefined;
    /** Whether compression is offered, and how. Default: true. */
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
    /** Not used. See `protocols`. */
    protocol?: string | undefined;
    /** The subprotocols, if the argument of that name is not given. */
    protocols?: string | string[] | undefined;
    /** The value of Sec-WebSocket-Version, 8 or 13. Default: 13. */
    protocolVersion?: number | undefined;
    /** Whether a certificate that cannot be verified is refused. Default: true. */
    rejectUnauthorized?: boolean | undefined;
    /** The name for Server Name Indication. Default: the host of the URL. */
    servername?: string | undefined;
    /** Aborts the handshake. */
    signal?: AbortSignal | undefined;
  }

  interface PerMessageDeflateOptions {
    /**
     * The window of the client, 8 to 15; a server refuses offers without it or below it,
     * false forbids it.
     */
    clientMaxWindowBits?: number | undefined;
    /** Whether the client forgets its window after each message; false refuses it. */
    clientNoContextTakeover?: boolean | undefined;
    /** Compressions at the same time by Node's zlib, in the whole process. Default: 10. */
    concurrencyLimit?: number | undefined;
    /** The window of the server, 8 to 15; a server refuses offers below it, false forbids it. */
    serverMaxWindowBits?: number | undefined;
    /** Whether the server forgets its window after each message; false refuses it. */
    serverNoContextTakeover?: boolean | undefined;
    /**
     * Bytes below which messages are not compressed, where the window is not kept. Default:
     * 1024.
     */
    threshold?: number | undefined;
    /** Options for compressing, as Node's zlib takes them. */
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
    /** Options for inflating, as Node's zlib takes them. */
    zlibInflateOptions?: ZlibOptions | undefined;
  }

  /** What `verifyClient` is asked about. */
  interface ClientInfo<Request extends IncomingMessage = IncomingMessage> {
    /** The header Origin, or Sec-WebSocket-Origin with version 8. */
    origin: string;
    /** Whether the connection is encrypted. */
    secure: boolean;
    /** The upgrade request. */
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
    /** How many connections may wait to be accepted. Default: 511. */
    backlog?: number | undefined;
    /** Whether the server keeps its connections in `clients`. Default: true. */
    clientTracking?: boolean | undefined;
    /** Chooses one of the subprotocols on offer. Default: the first. */
    handleProtocols?: (protocols: Set<string>, request: InstanceType<U>) => string | false;
    /**
     * What is taken of one peer in a second. Default: no limit. Throws a TypeError or RangeError
     * on a value that is none, as do the other limits and `heartbeat`; false and null are off.
     */
    inboundLimit?: InboundLimitOptions | false | null | undefined;
    /**
     * Bytes that may wait for one peer, as they would be on the wire uncompressed: 1 to 2^32 - 1.
     * Default: no limit.
     */
    maxBackpressure?: number | false | null | undefined;
    /**
     * What becomes of a message that exceeds `maxBackpressure`, without which only 'buffer' is
     * allowed. Default: 'buffer', it waits, too.
     */
    onBackpressure?:
      'buffer' | 'drop-newest' | 'drop-oldest' | 'latest' | 'close' | false | null | undefined;
    /**
     * Asked once for each topic, when somebody subscribes to it first: how much of it may wait for
     * one peer. What it throws, `subscribe()` throws. Default: as much as of anything else.
     */
    topicPolicy?: ((topic: string) => TopicPolicy | null | undefined) | false | null | undefined;
    /**
     * Connections that may be open at a time: 1 to 2^31 - 1. Further upgrades are refused with
     * 503. Default: no limit.
     */
    maxConnections?: number | false | null | undefined;
    /**
     * Promises of one connection's handlers for 'message' that may be pending while it is read: 1
     * to 2^31 - 1. Default: no limit.
     */
    maxInFlight?: number | false | null | undefined;
    /** Pings silent peers, and terminates those that do not answer. Default: off. */
    heartbeat?: HeartbeatOptions | false | null | undefined;
    /** The address to listen on. Default: all. */
    host?: string | undefined;
    /**
     * Servers of one process that name the same hub share their topics, in all threads. Default:
     * topics of its own.
     */
    hub?: string | undefined;
    /**
     * Carries topics to other processes, by Redis or NATS: the engine's URL, or options. Default:
     * topics stay in this process.
     */
    backbone?: string | URL | string[] | BackboneOptions | null | undefined;
    /**
     * How many topics a WebSocket may be subscribed to; 0: any number. Default: any. Throws a
     * TypeError or RangeError unless it is a number that is not negative.
     */
    maxSubscriptions?: number | undefined;
    /** Whether upgrades come through `handleUpgrade()` only. Default: false. */
    noServer?: boolean | undefined;
    /** The only path that is accepted. Default: any. */
    path?: string | undefined;
    /** Whether compression is accepted, and how. Default: false. */
    perMessageDeflate?: boolean | PerMessageDeflateOptions | undefined;
    /** The port to listen on; 0 lets the system choose. */
    port?: number | undefined;
    /** The HTTP or HTTPS server whose upgrades to answer. */
    server?: HTTPServer<U> | HTTPSServer<U> | undefined;
    /**
     * Decides on each request; with two parameters it answers by the callback. Prefer
     * 'upgrade' and `noServer`.
     */
    verifyClient?:
      | VerifyClientCallbackAsync<InstanceType<U>>
      | VerifyClientCallbackSync<InstanceType<U>>
      | undefined;
    /** The class of the connections. Default: `WebSocket`. */
    WebSocket?: T | undefined;
  }

  /** How the option `heartbeat` of a server goes about it. Times are 1 to 2^31 - 1. */
  interface HeartbeatOptions {
    /** Milliseconds of silence after which a peer is pinged. Default: 25000. */
    interval?: number | undefined;
    /** Milliseconds of further silence after which it is terminated. Default: 20000. */
    timeout?: number | undefined;
  }

  /** The option `inboundLimit` of a server. At least one of the two has to be limited. */
  interface InboundLimitOptions {
    /** Messages, pings and pongs a second, 0: any number. Default: 0. */
    messages?: number | undefined;
    /** Bytes a second, as they are on the wire, 0: any number. Default: 0. */
    bytes?: number | undefined;
    /**
     * What becomes of a peer that sends more: it is read more slowly, or closed with 1008. Default:
     * 'pause'.
     */
    action?: 'pause' | 'close' | undefined;
  }

  /** What `drain()` takes. A value that is none rejects its promise. */
  interface DrainOptions {
    /** The code of the close frames. Default: 1001. */
    code?: number | undefined;
    /** The reason in the close frames, at most 123 bytes. Default: none. */
    reason?: string | Uint8Array | undefined;
    /** Milliseconds over which the close frames are spread, at most 2^30. Default: 0. */
    jitter?: number | undefined;
    /**
     * Seconds in the Retry-After of refused upgrades. Default: `jitter` and `timeout` together,
     * rounded up.
     */
    retryAfter?: number | undefined;
    /**
     * Milliseconds after `jitter` until what is left is terminated, at most 2^30. Default: 10000.
     */
    timeout?: number | undefined;
  }

  /** What `drain()` resolves with. */
  interface DrainResult {
    /** Connections that ended before they were terminated. */
    closed: number;
    /** Connections that were terminated. */
    terminated: number;
  }

  /** What `metrics()` returns. Everything counts from the server's beginning, or is as it is now. */
  interface Metrics {
    /** Its connections. */
    connections: ConnectionMetrics;
    /** What came from peers. */
    received: TrafficMetrics;
    /** What was given to sockets, published or not. */
    sent: TrafficMetrics;
    /** Messages that a policy for slow peers dropped, of those that were sent and published. */
    dropped: DropMetrics;
    /** What waits for peers now. */
    backpressure: BackpressureMetrics;
    /** Its topics. */
    topics: TopicMetrics;
    /** The backbone that it has a part in, or null. */
    backbone: BackboneMetrics | null;
    /** What all servers and clients of this thread share. */
    thread: ThreadMetrics;
  }

  interface ConnectionMetrics {
    /** How many are open. */
    current: number;
    /** How many upgrades were accepted. */
    accepted: number;
    /** How many connections have ended. */
    closed: number;
    /** How many upgrades were refused, by reason. */
    refused: Record<
      'closed' | 'draining' | 'handshake' | 'limit' | 'path' | 'verification',
      number
    >;
  }

  interface TrafficMetrics {
    /** Whole messages. */
    messages: number;
    /** Bytes of their payloads, uncompressed. */
    bytes: number;
    /** Pings. */
    pings: number;
    /** Pongs. */
    pongs: number;
  }

  interface DropMetrics {
    /** How many messages. */
    messages: number;
    /** Bytes of their payloads. */
    bytes: number;
    /** The same by policy. */
    policies: Record<
      'drop-newest' | 'drop-oldest' | 'latest' | 'close',
      { messages: number; bytes: number }
    >;
  }

  interface BackpressureMetrics {
    /** How many connections have had 'backpressure' and not 'drain' yet. */
    connections: number;
    /** The sum of `bufferedAmount`. */
    bytes: number;
  }

  interface TopicMetrics {
    /** How many topics somebody of this thread is subscribed to, of the server or its hub. */
    current: number;
    /** How many subscriptions the server's WebSockets have. */
    subscriptions: number;
    /** How often the server or its WebSockets have published. */
    publishes: number;
    /** The sum of what these calls returned. */
    matched: number;
    /** How many published messages were given to the sockets of the server's WebSockets. */
    delivered: number;
  }

  interface BackboneMetrics {
    /** How the engine is connected. */
    state: 'connecting' | 'connected' | 'lost' | 'closed';
    /** How often it was connected again. */
    reconnects: number;
    /** Seconds that the engine took for its last answer. */
    lag: number;
    /** How many topics are wanted of it. */
    topics: number;
    /** Messages that it has taken. */
    sent: number;
    /** Their bytes, headers included. */
    sentBytes: number;
    /** Messages that came from it. */
    received: number;
    /** Their bytes. */
    receivedBytes: number;
    /** Messages that the queue to it had no room for. */
    dropped: number;
    /** Their bytes. */
    droppedBytes: number;
    /** How often messages may have been missed. */
    gaps: number;
    /** Messages on our channels that are not ours. */
    foreign: number;
    /** Messages in the queue. */
    waiting: number;
    /** Their bytes. */
    waitingBytes: number;
  }

  interface ThreadMetrics {
    /** Bytes that wait for JavaScript, and above how many nothing more is read. */
    inbound: { bytes: number; limit: number };
    /** Its reactors; none before the first use, and where there are none. */
    reactors: ReactorMetrics[];
  }

  interface ReactorMetrics {
    /** Who turns it. */
    driver: 'inline' | 'worker';
    /** How often that has changed. */
    handOvers: number;
    /** Its turns on the thread of JavaScript, and on workers. */
    turns: { inline: TurnMetrics; worker: TurnMetrics };
  }

  interface TurnMetrics {
    /** How many there were. */
    count: number;
    /** How long they took together. */
    seconds: number;
    /** How long the longest one took, in seconds. */
    longest: number;
    /** How many took at most so many seconds; the last entry is about all. */
    histogram: { upTo: number; count: number }[];
  }

  interface AddressInfo {
    /** The address. */
    address: string;
    /** 'IPv4' or 'IPv6'. */
    family: string;
    /** The port. */
    port: number;
  }

  interface EventListenerOptions {
    /** Whether the listener is removed when it is called. Default: false. */
    once?: boolean | undefined;
  }

  interface Event {
    /** 'open', 'error', 'close' or 'message'. */
    type: string;
    /** The WebSocket. */
    target: WebSocket;
  }
  interface ErrorEvent extends Event {
    /** What went wrong. */
    error: any;
    /** Its text. */
    message: string;
  }
  interface CloseEvent extends Event {
    /** The close code. */
    code: number;
    /** The reason, as text. */
    reason: string;
    /** Whether both close frames were exchanged. */
    wasClean: boolean;
  }
  interface MessageEvent extends Event {
    /** The message; text is a string. */
    data: Data;
  }
  interface WebSocketEventMap {
    /** The connection is established. */
    open: Event;
    /** Something went wrong. */
    error: ErrorEvent;
    /** The connection is closed. */
    close: CloseEvent;
    /** A message arrived. */
    message: MessageEvent;
  }

  /** The arguments of a server's events. */
  interface ServerEvents<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > {
    /** A connection was accepted. */
    connection: [websocket: InstanceType<T>, request: InstanceType<U>];
    /** The server cannot listen, or its HTTP server has an error. */
    error: [error: Error];
    /** The lines of the response may be changed. */
    headers: [headers: string[], request: InstanceType<U>];
    /** The server is closed. */
    close: [];
    /** The server listens. */
    listening: [];
    /** The engine of the backbone came or went, or messages are missing. */
    backbone: [event: BackboneEvent];
    /** A WebSocket joined or left a topic, which `count` are subscribed to now. */
    subscription: [websocket: InstanceType<T>, topic: string, count: number];
    /** A WebSocket that subscribed with `since` got what it had missed, or there is no telling. */
    history: [websocket: InstanceType<T>, event: HistoryEvent];
    /** A handshake failed; the listener answers it and closes the socket. */
    wsClientError: [error: Error, socket: Duplex, request: InstanceType<U>];
  }

  /** Accepts connections. */
  class Server<
    T extends typeof WebSocket.WebSocket = typeof WebSocket.WebSocket,
    U extends typeof IncomingMessage = typeof IncomingMessage
  > extends EventEmitter {
    /** The open connections, if `clientTracking` is on. */
    clients: Set<InstanceType<T>>;
    /** The options, defaults filled in. */
    options: ServerOptions<T, U>;
    /** Not set by the server: some frameworks keep theirs here. */
    path: string;

    constructor(options?: ServerOptions<T, U>, callback?: () => void);

    /** The topics that somebody is subscribed to. */
    readonly topics: string[];

    /** Gives a message to everybody who is subscribed to a topic. Returns how many get it. */
    publish(topic: string, data: SendData, options?: PublishOptions): number;
    /** How many are subscribed to a topic. */
    subscriberCount(topic: string): number;
    /** Resolved when the backbone's engine knows of all that was subscribed and published so far. */
    flushBackbone(): Promise<void>;
    /**
     * Up to where the history of a topic was delivered in this process: for a client to keep, and to
     * give back as `since`. Undefined if nobody is subscribed to it here, or none is kept.
     */
    position(topic: string): string | undefined;
    /** Where the server listens; null once it is closed. Throws in noServer mode. */
    address(): AddressInfo | string | null;
    /** Stops accepting connections; those that are open stay open. */
    close(callback?: (error?: Error) => void): void;
    /**
     * Refuses upgrades from now on with 503, closes all connections, and resolves when none is
     * left. Rejects on an option that is none, and changes nothing then. Later calls get the
     * promise of the first one.
     */
    drain(options?: DrainOptions): Promise<DrainResult>;
    /** What the server has done so far, and what it is at. */
    metrics(): Metrics;
    /** The metrics of one server, or of several by name, in Prometheus's text format. */
    static metricsText(servers: Server<any, any> | Record<string, Server<any, any>>): string;
    /** Has a registry of prom-client show them. */
    static registerMetrics(
      registry: { registerMetric(metric: any): void },
      servers: Server<any, any> | Record<string, Server<any, any>>
    ): void;
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
    /** Whether this is the last fragment. Default: false. */
    fin?: boolean | undefined;
    /** Fills its argument, 4 bytes, with a masking key. */
    generateMask?(mask: Buffer): void;
    /** Whether to mask. Default: false. */
    mask?: boolean | undefined;
    /** 4 bytes that the masking key is made in. */
    maskBuffer?: Buffer | undefined;
    /** The opcode. */
    opcode: number;
    /** Whether the data must not be masked in place. Default: false. */
    readOnly?: boolean | undefined;
    /** Whether the payload is compressed. Default: false. */
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
    /** Sends a close frame. */
    close(
      code?: number,
      data?: string | Uint8Array,
      mask?: boolean,
      callback?: (error?: Error) => void
    ): void;
    /** Sends a ping. */
    ping(data: any, mask?: boolean, callback?: (error?: Error) => void): void;
    /** Sends a pong. */
    pong(data: any, mask?: boolean, callback?: (error?: Error) => void): void;
    /** Sends a message. */
    send(data: SendData, options: SendOptions, callback?: (error?: Error) => void): void;
    /** Writes a frame that is built already. */
    sendFrame(list: (Buffer | string)[], callback?: (error?: Error) => void): void;
  }

  /** permessage-deflate (RFC 7692): its negotiation, and compression by Node's zlib. */
  class PerMessageDeflate {
    /** 'permessage-deflate'. */
    static readonly extensionName: string;
    /** The parameters agreed on, null before. */
    params: Record<string, true | number> | null;
    constructor(options?: PerMessageDeflateOptions & { isServer?: boolean; maxPayload?: number });
    /** Accepts an offer or an answer. Throws if there is none to accept. */
    accept(configurations: Record<string, (string | true)[]>[]): Record<string, true | number>;
    /** The parameters that a client offers. */
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
