// The upgrade request in the hands of frameworks, beside the one that Node makes.

'use strict';

const http = require('http');
const { inspect } = require('util');

const { compare } = require('./run');
const { RawPeer, request } = require('../support/raw-peer');

const HEADERS = { Cookie: 'a=b', 'X-Forwarded-For': '1.2.3.4', 'x-forwarded-for': '5.6.7.8' };

/** Declares a test of what `probe` returns for a request with the library's and with ws's server. */
function probe(title, look) {
  compare(title, async ({ wss, port, trace }) => {
    const looked = new Promise((resolve, reject) => {
      wss.on('connection', (websocket, incoming) => {
        Promise.resolve(incoming)
          .then((incoming) => look(incoming, websocket))
          .then(resolve, reject);
      });
    });
    const peer = await RawPeer.open(port, { path: '/p?q=1', headers: HEADERS });
    try {
      trace.push(await looked);
    } finally {
      peer.socket.destroy();
    }
  });
}

/** As web frameworks make one. */
const framework = Object.create(http.IncomingMessage.prototype, {
  get: { value: (name) => name.toLowerCase() },
  hostname: {
    get() {
      return this.headers.host;
    }
  }
});

const FIELDS = ['url', 'method', 'httpVersion', 'httpVersionMajor', 'httpVersionMinor', 'upgrade']
  .concat(['aborted', 'complete', 'rawHeaders', 'rawTrailers', 'trailers', 'joinDuplicateHeaders'])
  .concat([
    'statusCode',
    'statusMessage',
    'readableEnded',
    'readableFlowing',
    'destroyed',
    'readable'
  ]);

const fieldsOf = (incoming) => FIELDS.map((field) => [field, incoming[field]]);
const addressOf = ({ remoteAddress, localAddress }) => [remoteAddress, localAddress];

probe('its fields', (incoming) => [
  incoming instanceof http.IncomingMessage,
  ...fieldsOf(incoming),
  { ...incoming.headers },
  { ...incoming.headersDistinct }
]);
probe('what is its own', (incoming) =>
  [...FIELDS, 'socket', 'client', 'headers', 'connection'].map((name) => [
    name,
    Object.hasOwn(incoming, name),
    Object.prototype.propertyIsEnumerable.call(incoming, name)
  ])
);
probe('the names of its own properties', (incoming) => Object.keys(incoming).sort());
probe('another prototype', (incoming) => {
  Object.setPrototypeOf(incoming, framework);
  const { client, connection, headers, socket } = incoming;
  return [
    ...fieldsOf(incoming),
    { ...headers },
    incoming.hostname,
    ...addressOf(socket),
    connection === socket && client === socket
  ];
});
probe('something that inherits from it', (incoming) => {
  const child = Object.create(incoming);
  return [...fieldsOf(child), child.headers.cookie, ...addressOf(child.socket)];
});
probe('a copy of its properties', (incoming) => {
  const { client, rawHeaders, socket, url } = { ...incoming };
  return [url, rawHeaders, client === socket, ...addressOf(socket)];
});
probe('a proxy before it', (incoming) => {
  const before = new Proxy(incoming, {});
  return [...fieldsOf(before), before.headers.cookie, ...addressOf(before.socket)];
});
probe('assignments', (incoming) => {
  incoming.url = '/other';
  incoming.rawHeaders = ['A', 'b'];
  incoming.headers['x-user'] = 'u';
  delete incoming.headers.cookie;
  incoming.client = 1;
  const { client, headers, rawHeaders, url } = incoming;
  return [url, rawHeaders, client, headers.cookie, headers['x-user']];
});
probe('the socket, assigned', (incoming) => {
  incoming.socket = { fake: true };
  return [incoming.socket, incoming.connection];
});
probe('headers, assigned before they are read', (incoming) => {
  incoming.headers = { host: 'mine' };
  return [incoming.headers, incoming.rawHeaders.length];
});
probe('its body', async (incoming) => {
  const events = [];
  for (const event of ['data', 'end', 'error']) incoming.on(event, () => events.push(event));
  await new Promise((resolve) => incoming.on('end', resolve));
  return events;
});
probe('its body, with for await', async (incoming) => {
  let length = 0;
  for await (const chunk of incoming) length += chunk.length;
  return length;
});
probe('a response over it', (incoming) => {
  const response = new http.ServerResponse(incoming);
  response.assignSocket(incoming.socket);
  response.detachSocket(incoming.socket);
  return [response.shouldKeepAlive, response.req === incoming];
});
probe('setTimeout', (incoming) => incoming.setTimeout(100000, () => {}) === incoming);
probe('inspect', (incoming) => inspect(incoming, { depth: 0 }).split(' ')[0]);
probe('a clone of its headers', (incoming) =>
  JSON.stringify(structuredClone(incoming.headersDistinct))
);

compare('the request of wsClientError', async ({ wss, port, trace }) => {
  const refused = new Promise((resolve) => {
    wss.on('wsClientError', (error, socket, incoming) => {
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      resolve([error.message, ...fieldsOf(incoming)]);
    });
  });
  const headers = { 'Sec-WebSocket-Key': 'short' };
  const peer = await RawPeer.connect(port, request({ path: '/p', headers }));
  trace.push(await refused);
  await peer.headers();
  peer.socket.destroy();
});
