// One request, given to Node's HTTP server and to ours in the same chunks, without
// sockets: what each answers, makes of the upgrade request and leaves over.

'use strict';

const { Duplex } = require('stream');
const http = require('http');

const binding = require('../../lib/binding');
const httpRules = require('../../lib/http-rules');
const upgradeRequest = require('../../lib/upgrade-request');

const FIELDS = [
  'method',
  'url',
  'httpVersion',
  'httpVersionMajor',
  'httpVersionMinor',
  'rawHeaders'
].concat(['headers', 'headersDistinct', 'complete', 'upgrade', 'aborted']);

/** A connection whose two directions are arrays. */
class Wire extends Duplex {
  constructor() {
    super();
    this.written = [];
    this.upgrade = null;
    this.on('error', () => {});
  }

  get isOver() {
    return this.destroyed || this.writableEnded;
  }

  take() {
    const bytes = Buffer.concat(this.written.splice(0)).toString('latin1');
    return bytes.replace(/^Date: .*\r\n/gm, '');
  }

  _read() {}

  _write(chunk, encoding, callback) {
    this.written.push(chunk);
    callback();
  }
}

/** What Node's server does in the place of ws's. */
class NodeSide {
  constructor(maxHeaderSize = http.maxHeaderSize) {
    this.server = http.createServer({ maxHeaderSize }, (request, response) => {
      const body = http.STATUS_CODES[426];
      response.writeHead(426, { 'Content-Length': body.length, 'Content-Type': 'text/plain' });
      response.end(body);
    });
    this.server.on('upgrade', (request, socket, head) => {
      socket.upgrade = { request: describe(request), rest: head.toString('latin1') };
    });
  }

  async play({ chunks, ends }) {
    const wire = new Wire();
    const answers = [];
    this.server.emit('connection', wire);
    for (const chunk of chunks) {
      wire.emit('data', chunk);
      let answer = wire.take();
      if (answer !== '') {
        // Before the next bytes arrive, this answer is over and those behind it are sent.
        do await new Promise(setImmediate);
        while (wire.written.length > 0 && (answer += wire.take()));
      }
      answers.push(answer);
      if (wire.isOver || wire.upgrade !== null) break;
    }
    let over = wire.isOver;
    if (ends && !over && wire.upgrade === null) {
      wire.emit('end');
      answers.push(wire.take());
      over = true;
    }
    wire.destroy();
    return { answers, over: over && wire.upgrade === null, upgrade: wire.upgrade };
  }
}

/** What our listener does. */
class OurSide {
  constructor(maxHeaderSize = http.maxHeaderSize) {
    this.rules = { ...httpRules(), maxHeaderSize };
  }

  play({ chunks, ends }) {
    const ending = ends ? 'end' : undefined;
    const { answers, head, used, over } = binding.converse(chunks, this.rules, 'now', ending);
    const upgrade = head && {
      request: describe(upgradeRequest(head, {})),
      rest: chunks[answers.length - 1].latin1Slice(used)
    };
    const texts = answers.map((answer) => answer.latin1Slice().replaceAll('Date: now\r\n', ''));
    return { answers: texts, over, upgrade: upgrade || null };
  }
}

function describe(request) {
  return Object.fromEntries(FIELDS.map((field) => [field, request[field]]));
}

module.exports = { NodeSide, OurSide };
