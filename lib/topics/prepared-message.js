// A message for several WebSockets: framed once, compressed once for each way in
// which those without context takeover compress.
//
// Owns: the bytes, and the frames for WebSockets on streams; reactors make their own
// (src/reactor/broadcast.rs). Made by registry.js and by `WebSocket.prepare()`,
// written by sender.js. Runs on: js. Tests: __test__/api/topics.test.js, prepared.test.js.

'use strict';

const { Buffer } = require('buffer');

const { buildFrame } = require('../frame');

class PreparedMessage {
  /**
   * @param {Number} opcode
   * @param {(String|Uint8Array)} data Copied
   * @param {Boolean} compress Where that was negotiated
   */
  constructor(opcode, data, compress) {
    this.opcode = opcode;
    this.data = Buffer.from(data);
    /** By how much a text is longer in bytes than in UTF-16 units. */
    this.surplus = typeof data === 'string' ? this.data.length - data.length : 0;
    this.compress = compress;
    /** What it was published to: null stands for what one sends. */
    this.topic = null;
    this._frame = null;
    // By the options of zlib, then by window: a frame, or who waits for it.
    this._deflated = new Map();
  }

  /** @type {Buffer} */
  get frame() {
    if (this._frame === null) this._frame = this._build(this.data, false);
    return this._frame;
  }

  /**
   * The compressed frame for a connection that does not take its context over.
   *
   * @param {PerMessageDeflate} extension
   * @param {Number} windowBits
   * @param {Function} callback Called with it
   */
  deflate(extension, windowBits, callback) {
    const { zlibDeflateOptions: options } = extension._options;
    let byWindow = this._deflated.get(options);
    if (byWindow === undefined) this._deflated.set(options, (byWindow = new Map()));
    const known = byWindow.get(windowBits);
    if (Buffer.isBuffer(known)) {
      callback(known);
    } else if (known !== undefined) {
      known.push({ callback, extension });
    } else {
      byWindow.set(windowBits, [{ callback, extension }]);
      this._compress(byWindow, windowBits);
    }
  }

  // The first that waits does it. One whose connection ends meanwhile leaves it to the next.
  _compress(byWindow, windowBits) {
    const waiting = byWindow.get(windowBits);
    const [{ extension }] = waiting;
    extension.compress(this.data, true, (error, result) => {
      if (error) {
        const { callback } = waiting.shift();
        if (waiting.length > 0) this._compress(byWindow, windowBits);
        else byWindow.delete(windowBits);
        callback(null);
        return;
      }
      const frame = this._build(result, true);
      byWindow.set(windowBits, frame);
      for (const { callback } of waiting) callback(frame);
    });
  }

  _build(data, rsv1) {
    const options = { fin: true, join: true, opcode: this.opcode, rsv1 };
    return Buffer.concat(buildFrame(data, options));
  }
}

module.exports = PreparedMessage;
