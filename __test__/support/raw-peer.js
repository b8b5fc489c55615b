// A peer that speaks bytes: the handshake of a client by hand, frames built and
// read here, independent of any WebSocket library.

'use strict';

const net = require('net');
const { EventEmitter, once } = require('events');

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78]);

/**
 * A masked frame, as a client sends it.
 *
 * @param {Number} first FIN, RSV bits and opcode
 * @param {(String|Buffer)} [payload]
 * @param {{mask: Boolean}} [options]
 * @return {Buffer}
 */
function frame(first, payload = '', { mask = true } = {}) {
  const data = Buffer.from(payload);
  const bit = mask ? 0x80 : 0;
  let head;
  if (data.length < 126) {
    head = Buffer.from([first, bit | data.length]);
  } else if (data.length < 65536) {
    head = Buffer.from([first, bit | 126, data.length >> 8, data.length & 255]);
  } else {
    head = Buffer.alloc(10);
    head[0] = first;
    head[1] = bit | 127;
    head.writeBigUInt64BE(BigInt(data.length), 2);
  }
  if (!mask) return Buffer.concat([head, data]);
  return Buffer.concat([head, MASK, data.map((byte, index) => byte ^ MASK[index & 3])]);
}

/** The text of a request that asks for an upgrade; a header set to null is left out. */
function request({ path = '/', method = 'GET', headers = {} } = {}) {
  const all = {
    Host: 'localhost',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...headers
  };
  const lines = Object.entries(all).filter(([, value]) => value !== null);
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${path} HTTP/1.1\r\n${text}\r\n`;
}

/**
 * Emits 'head' (text) once, then 'frame' ({fin, rsv, opcode, masked, payload}), and 'end'.
 */
class RawPeer extends EventEmitter {
  constructor(socket) {
    super();
    // Who waits for a frame waits for the end, too.
    this.setMaxListeners(0);
    this.socket = socket;
    this.head = null;
    this.frames = [];
    this.ended = false;
    this._buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => this._onData(chunk));
    socket.on('error', () => {});
    const end = () => {
      if (this.ended) return;
      this.ended = true;
      this.emit('end');
    };
    socket.on('end', end);
    socket.on('close', end);
  }

  /** Connects and sends bytes. */
  static async connect(port, bytes = request()) {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    const peer = new RawPeer(socket);
    socket.write(bytes);
    return peer;
  }

  /** Connects and completes the handshake. */
  static async open(port, options) {
    const peer = await RawPeer.connect(port, request(options));
    await peer.headers();
    return peer;
  }

  _onData(chunk) {
    this._buffer = Buffer.concat([this._buffer, chunk]);
    if (this.head === null) {
      const end = this._buffer.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.head = this._buffer.toString('latin1', 0, end + 4);
      this._buffer = this._buffer.subarray(end + 4);
      this.emit('head');
    }
    if (this.head.startsWith('HTTP/1.1 101')) this._readFrames();
  }

  _readFrames() {
    for (;;) {
      const bytes = this._buffer;
      if (bytes.length < 2) return;
      let size = bytes[1] & 127;
      let at = 2;
      if (size === 126) {
        if (bytes.length < 4) return;
        size = bytes.readUInt16BE(2);
        at = 4;
      } else if (size === 127) {
        if (bytes.length < 10) return;
        size = Number(bytes.readBigUInt64BE(2));
        at = 10;
      }
      const masked = bytes[1] >= 128;
      const mask = masked ? bytes.subarray(at, at + 4) : [0, 0, 0, 0];
      if (masked) at += 4;
      if (bytes.length < at + size) return;
      const received = {
        fin: bytes[0] >= 128,
        rsv: (bytes[0] >> 4) & 7,
        opcode: bytes[0] & 15,
        masked,
        payload: bytes.subarray(at, at + size).map((byte, index) => byte ^ mask[index & 3])
      };
      this._buffer = bytes.subarray(at + size);
      this.frames.push(received);
      this.emit('frame', received);
    }
  }

  /** Resolves with the response's head. */
  async headers() {
    if (this.head === null && !this.ended) await this._either('head', 'end');
    return this.head;
  }

  /** Resolves with the next frame, or null when the stream ended. */
  async nextFrame() {
    while (this.frames.length === 0 && !this.ended) await this._either('frame', 'end');
    return this.frames.shift() || null;
  }

  /** Resolves with all frames to the end of the stream, in short form. */
  async rest() {
    const seen = [];
    for (let next = await this.nextFrame(); next !== null; next = await this.nextFrame()) {
      seen.push(describe(next));
    }
    return seen;
  }

  /** Resolves with everything that is not a head or frame, once the stream ended. */
  async body() {
    if (!this.ended) await once(this, 'end');
    return this._buffer.toString('latin1');
  }

  /** Resolves with the first of two events, and leaves no listener behind. */
  _either(...names) {
    return new Promise((resolve) => {
      const onEvent = () => {
        for (const name of names) this.off(name, onEvent);
        resolve();
      };
      for (const name of names) this.on(name, onEvent);
    });
  }

  send(...frames) {
    this.socket.write(Buffer.concat(frames));
  }
}

function describe({ fin, rsv, opcode, masked, payload }) {
  const shown = payload.length > 40 ? `${payload.length} bytes` : payload.toString('latin1');
  return `${fin ? '' : 'part '}${opcode}${rsv ? ` rsv${rsv}` : ''}${masked ? ' masked' : ''}: ${shown}`;
}

module.exports = { KEY, RawPeer, describe, frame, request };
