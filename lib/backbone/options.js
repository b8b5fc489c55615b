// What a server wants of a backbone: the option `backbone`, read and checked before
// anything starts.
//
// Owns: URLs of engines, defaults, which certificates are trusted. Used by index.js.
// Runs on: js. INVARIANT: what is thrown shows no credentials.
// Tests: __test__/backbone/options.test.js.

'use strict';

const { Buffer } = require('buffer');
const tls = require('tls');

const { checkChoice, checkInteger, checkObject, invalidValue } = require('../option-checks');

const DEFAULTS = {
  url: undefined,
  prefix: undefined,
  tls: undefined,
  credentials: undefined,
  maxQueue: 16 * 1024 * 1024,
  onOverflow: 'drop-oldest',
  timeout: 5000,
  history: undefined
};
// Where NATS has tokens, permissions are for tokens.
const PREFIXES = { redis: 'ferrows:', nats: 'ferrows.' };
const HISTORY_DEFAULTS = { size: 100, ttl: 5 * 60 * 1000 };
const TLS_DEFAULTS = { ca: undefined, cert: undefined, key: undefined, servername: undefined };
const CREDENTIALS = { username: undefined, password: undefined, token: undefined };

// Scheme to engine, whether it is encrypted, and the engine's usual port.
const SCHEMES = {
  'redis:': { engine: 'redis', encrypted: false, port: 6379 },
  'rediss:': { engine: 'redis', encrypted: true, port: 6379 },
  'valkey:': { engine: 'redis', encrypted: false, port: 6379 },
  'valkeys:': { engine: 'redis', encrypted: true, port: 6379 },
  'nats:': { engine: 'nats', encrypted: false, port: 4222 },
  'tls:': { engine: 'nats', encrypted: true, port: 4222 }
};
const MOST_DATABASES = 2 ** 31 - 1;
const LARGEST_QUEUE = 2 ** 40;
const LONGEST_TIMEOUT = 2 ** 31 - 1;
const LONGEST_HISTORY = 1e6;
const LONGEST_TTL = 365 * 24 * 60 * 60 * 1000;

/**
 * @param {(String|URL|String[]|Object)} given
 * @return {Object} As Rust takes it
 * @throws {TypeError|RangeError} On what is none
 */
function readBackbone(given) {
  const isUrl = typeof given === 'string' || given instanceof URL || Array.isArray(given);
  const options = checkObject('backbone', isUrl ? { url: given } : given, DEFAULTS);
  const places = readUrls(options.url);
  const [{ engine, encrypted, database }] = places;
  for (const place of places) {
    if (place.engine !== engine || place.encrypted !== encrypted || place.database !== database) {
      throw invalidValue(
        'backbone.url',
        'must name servers of one engine, all with or without TLS'
      );
    }
  }
  const prefix = readPrefix(options.prefix, engine);
  return {
    engine,
    hosts: places.map(({ host }) => host),
    ports: places.map(({ port }) => port),
    shown: places.map(({ shown }) => shown),
    database,
    ...readCredentials(options.credentials, places[0], engine),
    ...readTls(options.tls, encrypted, engine),
    prefix,
    maxQueue: checkInteger('backbone.maxQueue', options.maxQueue, 1, LARGEST_QUEUE),
    dropOldest:
      checkChoice('backbone.onOverflow', options.onOverflow, ['drop-oldest', 'drop-newest']) ===
      'drop-oldest',
    timeout: checkInteger('backbone.timeout', options.timeout, 1, LONGEST_TIMEOUT),
    ...readHistory(options.history, engine, prefix)
  };
}

function readHistory(given, engine, prefix) {
  if (given === undefined || given === null || given === false) {
    return { historySize: undefined, historyTtl: undefined };
  }
  const options = given === true ? {} : given;
  const { size, ttl } = checkObject('backbone.history', options, HISTORY_DEFAULTS);
  if (engine === 'nats' && !/(^|\.)$/.test(prefix)) {
    throw invalidValue('backbone.prefix', 'must end with "." where NATS keeps a history');
  }
  return {
    historySize: checkInteger('backbone.history.size', size, 1, LONGEST_HISTORY),
    historyTtl: checkInteger('backbone.history.ttl', ttl, 1000, LONGEST_TTL)
  };
}

function readUrls(given) {
  const all = Array.isArray(given) ? given : [given];
  if (all.length === 0) throw invalidValue('backbone.url', 'must name a server');
  return all.map(readUrl);
}

function readUrl(given) {
  const schemes = Object.keys(SCHEMES).map((scheme) => `${scheme}//`);
  const wrong = () => invalidValue('backbone.url', `must be a URL with ${schemes.join(', ')}`);
  if (typeof given !== 'string' && !(given instanceof URL)) throw wrong();
  let url;
  try {
    url = new URL(given);
  } catch {
    // What it says would show the whole of it.
    throw wrong();
  }
  const scheme = Object.prototype.hasOwnProperty.call(SCHEMES, url.protocol)
    ? SCHEMES[url.protocol]
    : undefined;
  if (scheme === undefined || url.hostname === '') throw wrong();
  if (url.search !== '' || url.hash !== '') {
    throw invalidValue('backbone.url', 'must have neither a query nor a fragment');
  }
  const path = url.pathname.replace(/^\/$/, '');
  if (path !== '' && (scheme.engine !== 'redis' || !/^\/\d{1,9}$/.test(path))) {
    throw invalidValue('backbone.url', 'may have the number of a Redis database as its path only');
  }
  const port = url.port === '' ? scheme.port : Number(url.port);
  return {
    ...scheme,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    database: checkInteger(
      'backbone.url',
      path === '' ? 0 : Number(path.slice(1)),
      0,
      MOST_DATABASES
    ),
    shown: `${url.protocol}//${url.hostname}:${port}`,
    username: decode(url.username),
    password: decode(url.password)
  };
}

function decode(text) {
  try {
    return text === '' ? undefined : decodeURIComponent(text);
  } catch {
    throw invalidValue('backbone.url', 'must have its credentials percent-encoded');
  }
}

function readCredentials(given, { username, password }, engine) {
  if (given === undefined || given === null) {
    // nats://TOKEN@host
    const isToken = engine === 'nats' && username !== undefined && password === undefined;
    return isToken ? { token: username } : { username, password };
  }
  const credentials = checkObject('backbone.credentials', given, CREDENTIALS);
  for (const [name, value] of Object.entries(credentials)) {
    if (value !== undefined && typeof value !== 'string') {
      // Not shown what it is.
      throw invalidValue(`backbone.credentials.${name}`, 'must be a string');
    }
  }
  if (credentials.token !== undefined && engine !== 'nats') {
    throw invalidValue('backbone.credentials.token', 'is for NATS only');
  }
  return credentials;
}

function readTls(given, encrypted, engine) {
  if (given === false && !encrypted) return { tls: false, ca: '' };
  if (given === undefined || given === null) given = encrypted;
  if (given === false) {
    if (encrypted) throw invalidValue('backbone.tls', 'contradicts the URL');
    return { tls: false, ca: '' };
  }
  const options = given === true ? {} : given;
  const { ca, cert, key, servername } = checkObject('backbone.tls', options, TLS_DEFAULTS);
  if ((cert === undefined) !== (key === undefined)) {
    throw invalidValue('backbone.tls', 'needs both "cert" and "key", or neither');
  }
  if (servername !== undefined && typeof servername !== 'string') {
    throw invalidValue('backbone.tls.servername', 'must be a string');
  }
  if (servername !== undefined && engine === 'nats') {
    throw invalidValue('backbone.tls.servername', 'is for Redis only');
  }
  return {
    tls: true,
    ca: ca === undefined ? trusted().join('\n') : readPem('ca', ca),
    cert: cert === undefined ? undefined : readPem('cert', cert),
    key: key === undefined ? undefined : readPem('key', key),
    servername
  };
}

/** Whom Node trusts. */
function trusted() {
  if (typeof tls.getCACertificates === 'function') return tls.getCACertificates('default');
  return tls.rootCertificates;
}

function readPem(name, given) {
  const all = Array.isArray(given) ? given : [given];
  const texts = all.map((each) => {
    if (typeof each === 'string') return each;
    if (each instanceof Uint8Array) return Buffer.from(each).toString('latin1');
    // Not shown: it may be a key.
    throw invalidValue(`backbone.tls.${name}`, 'must be PEM: strings or Buffers');
  });
  return texts.join('\n');
}

function readPrefix(given, engine) {
  const prefix = given === undefined ? PREFIXES[engine] : given;
  if (typeof prefix !== 'string' || !/^[\x21-\x7e]{0,256}$/.test(prefix)) {
    throw invalidValue(
      'backbone.prefix',
      'must be a string of at most 256 visible ASCII characters'
    );
  }
  // Tokens of a subject, the last of which the topic may complete.
  if (engine === 'nats' && !/^([^.*>$][^.*>]*\.)*([^.*>$][^.*>]*)?$/.test(prefix)) {
    const text = 'must be the beginning of a NATS subject, without wildcards and "$"';
    throw invalidValue('backbone.prefix', text);
  }
  return prefix;
}

module.exports = { readBackbone };
