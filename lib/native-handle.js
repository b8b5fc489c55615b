// What net.Socket finds where its handle is while a reactor has the connection.
//
// Owns: the answers to Node's code on a native connection, what such a socket is
// told of traffic ('drain', time-outs). One for each socket object that somebody
// can see; native-socket.js puts it there, demotion.js takes it away. Runs on: js.
// Must never name a descriptor that is not this connection's.
// Tests: __test__/differential/socket-*.test.js.

'use strict';

const { getSystemErrorMap } = require('util');

const { ownCallback } = require('./pending-writes');
const { currentTick } = require('./tick');

const errnoOf = new Map([...getSystemErrorMap()].map(([errno, [code]]) => [code, errno]));
const UV_EINVAL = errnoOf.get('EINVAL');
const UV_ENOTCONN = errnoOf.get('ENOTCONN');
const UV_EPIPE = errnoOf.get('EPIPE');

/** Whose a socket object is. */
const STATES = { NATIVE: 0, GIVEN_BACK: 1, CLOSING: 2 };

const NOTHING = Object.freeze({ bytesRead: 0, bytesWritten: 0 });

/** The handle of a Unix domain socket: it has no addresses and no options. */
class NativeHandle {
  /**
   * @param {NativeTransport} transport
   * @param {{bytesRead: Number, bytesWritten: Number}} [before] What Node's own handle had carried
   */
  constructor(transport, before = NOTHING) {
    this.transport = transport;
    /** The socket object that this is the handle of. */
    this.owner = null;
    this.state = STATES.NATIVE;
    /** The stream transport that the connection has now, if a WebSocket is on it. */
    this.heir = null;
    this.reading = true;
    this.isStreamBase = false;
    this.baseRead = before.bytesRead;
    this.baseWritten = before.bytesWritten;
    this._carried = null;
    this._timed = false;
    this._progress = 0;
    this._wantsDrain = false;
    this._draining = false;
  }

  /** The descriptor: the reactor's, until somebody is given the socket back. */
  get fd() {
    return this.transport.descriptor;
  }

  get bytesRead() {
    return this.baseRead + this._carriedBytes().received;
  }

  get bytesWritten() {
    return this.baseWritten + this._carriedBytes().sent;
  }

  get writeQueueSize() {
    return this.transport.writableLength;
  }

  _carriedBytes() {
    return this._carried || this.transport.carriedBytes();
  }

  /** The reactor is about to forget the connection. */
  keepCarriedBytes() {
    this._carried = this.transport.carriedBytes();
  }

  getAsyncId() {
    return this.transport.scope.asyncId();
  }

  // Node reads through a handle; here nothing is read that way.

  readStart() {
    return 0;
  }

  readStop() {
    return 0;
  }

  ref() {
    this.transport.referenced = true;
  }

  unref() {
    this.transport.referenced = false;
  }

  hasRef() {
    return this.transport.referenced;
  }

  /** @param {ShutdownWrap} request Completed when all is written and our side finished */
  shutdown(request) {
    if (this.transport.gone) return UV_ENOTCONN;
    this.transport.finishSide(() => request.oncomplete(0));
    return 0;
  }

  close(callback) {
    this.transport.closeSocket(false, callback);
  }

  reset(callback) {
    this.transport.closeSocket(true, callback);
    return 0;
  }

  // Whoever writes is given the socket back first; what comes here finds the connection gone.

  writeBuffer() {
    return UV_EPIPE;
  }

  writev() {
    return UV_EPIPE;
  }

  writeUtf8String() {
    return UV_EPIPE;
  }

  writeLatin1String() {
    return UV_EPIPE;
  }

  writeAsciiString() {
    return UV_EPIPE;
  }

  writeUcs2String() {
    return UV_EPIPE;
  }

  /** The socket's time-out was set, or cleared. */
  setTimed(on) {
    this._timed = on;
    if (on) this._progress = this.bytesRead + this.bytesWritten - this.writeQueueSize;
    this._watch();
  }

  /** Somebody waits for 'drain'. */
  expectDrain() {
    this._wantsDrain = true;
    this._watch();
    this.needsDrain();
  }

  // A connection tells of its traffic only while somebody wants to know.
  _watch() {
    this.transport.watcher = this._timed || this._wantsDrain ? this : null;
  }

  /** Called by the transport: an event came. */
  onTraffic() {
    if (this._timed) this.owner._unrefTimer();
  }

  /** Called by the transport: something was sent. */
  onSend() {
    if (this._timed) this.owner._unrefTimer();
    if (this._wantsDrain) this.needsDrain();
  }

  /** Whether bytes moved since the last look: a long message is no event before it is complete. */
  hasProgressed() {
    const progress = this.bytesRead + this.bytesWritten - this.writeQueueSize;
    const moved = progress !== this._progress;
    this._progress = progress;
    return moved;
  }

  /** Whether a writer should wait for 'drain', which comes then. */
  needsDrain() {
    if (this._draining || !this.owesDrain) return this._draining;
    this._draining = true;
    this._awaitDrain();
    return true;
  }

  /** The same, for one who sees to it that 'drain' comes. */
  get owesDrain() {
    const { owner, transport } = this;
    if (this._draining || transport.gone) return this._draining;
    // As with a Writable, also if the kernel took a large piece at once: until the end of the tick.
    return (
      transport.largeIn === currentTick() || transport.writableLength >= owner.writableHighWaterMark
    );
  }

  _awaitDrain() {
    // The callback of an empty write comes when everything before it is written.
    this.transport.raw(
      '',
      ownCallback((error) => this._onWritten(error))
    );
  }

  _onWritten(error) {
    const { owner, transport } = this;
    // A socket that was given back tells it by itself.
    if (this.state !== STATES.NATIVE) return;
    if (!error && transport.writableLength > 0) {
      this._awaitDrain();
      return;
    }
    this._draining = false;
    if (!error && !owner.destroyed && !owner.writableEnded) owner.emit('drain');
  }
}

/** The handle of a TCP connection. */
class NativeTcpHandle extends NativeHandle {
  getpeername(out) {
    const { addresses } = this.transport;
    if (addresses === null) return UV_EINVAL;
    out.address = addresses.remoteAddress;
    out.family = addresses.family;
    out.port = addresses.remotePort;
    return 0;
  }

  getsockname(out) {
    const { addresses } = this.transport;
    if (addresses === null) return UV_EINVAL;
    out.address = addresses.localAddress;
    out.family = addresses.family;
    out.port = addresses.localPort;
    return 0;
  }

  setNoDelay(on) {
    this.transport.setNoDelay(on);
    return 0;
  }

  setKeepAlive(on, seconds) {
    this.transport.setKeepAlive(on, seconds);
    return 0;
  }
}

module.exports = { NativeHandle, NativeTcpHandle, STATES };
