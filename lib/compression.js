// What was negotiated about compression, as the settings of a worker's
// connection. Runs on: js. Tests: __test__/unit/compression.test.js.

'use strict';

const { layout } = require('./bridge');

const {
  COMPRESSION_DEFLATE_BITS,
  COMPRESSION_DEFLATE_TAKEOVER,
  COMPRESSION_INFLATE_BITS,
  COMPRESSION_INFLATE_TAKEOVER,
  COMPRESSION_LEVEL,
  COMPRESSION_MEM_LEVEL,
  COMPRESSION_ON,
  COMPRESSION_STRATEGY
} = layout;

const FULL_WINDOW = 15;
const LARGEST_THRESHOLD = 0xffffffff;

// Options of zlib that a worker knows, with their ranges and zlib's defaults.
const DEFLATE_OPTIONS = {
  level: { least: -1, most: 9, usual: -1 },
  memLevel: { least: 1, most: 9, usual: 8 },
  strategy: { least: 0, most: 4, usual: 0 }
};
// These mean nothing to a worker: how output is cut, and what the negotiation decides.
const IGNORED = { chunkSize: { least: 64, most: Infinity }, windowBits: { least: 0, most: 15 } };

/**
 * Whether a worker can do what options ask for. A dictionary, for one, only Node's zlib can.
 *
 * @param {Object} options Of permessage-deflate
 * @return {Boolean}
 */
function suitsWorkers({ zlibDeflateOptions, zlibInflateOptions }) {
  return (
    isWithin(zlibDeflateOptions, { ...DEFLATE_OPTIONS, ...IGNORED }) &&
    isWithin(zlibInflateOptions, { ...DEFLATE_OPTIONS, ...IGNORED })
  );
}

function isWithin(options, known) {
  return Object.entries(options || {}).every(([name, value]) => {
    if (value === undefined) return true;
    const range = known[name];
    return (
      range !== undefined && Number.isInteger(value) && value >= range.least && value <= range.most
    );
  });
}

/**
 * What both ends may do, from the parameters agreed on.
 *
 * @param {?Object} params
 * @param {Boolean} isServer
 * @return {{deflate: {windowBits: Number, takeover: Boolean},
 *     inflate: {windowBits: Number, takeover: Boolean}}}
 */
function directions(params, isServer) {
  const agreed = params || {};
  const side = (name) => {
    const bits = agreed[`${name}_max_window_bits`];
    return {
      windowBits: typeof bits === 'number' ? bits : FULL_WINDOW,
      takeover: !agreed[`${name}_no_context_takeover`]
    };
  };
  const [server, client] = [side('server'), side('client')];
  return isServer ? { deflate: server, inflate: client } : { deflate: client, inflate: server };
}

/**
 * The compression word and the threshold of the settings.
 *
 * @param {PerMessageDeflate} deflate After its negotiation
 * @param {Boolean} isServer
 * @return {{word: Number, threshold: Number}}
 */
function compressionSettings({ _options: options, _threshold: threshold, params }, isServer) {
  const { deflate, inflate } = directions(params, isServer);
  const zlib = options.zlibDeflateOptions || {};
  const option = (name) => (zlib[name] === undefined ? DEFLATE_OPTIONS[name].usual : zlib[name]);

  let word = COMPRESSION_ON;
  if (inflate.takeover) word |= COMPRESSION_INFLATE_TAKEOVER;
  if (deflate.takeover) word |= COMPRESSION_DEFLATE_TAKEOVER;
  word |= inflate.windowBits << COMPRESSION_INFLATE_BITS;
  word |= deflate.windowBits << COMPRESSION_DEFLATE_BITS;
  word |= (option('level') + 1) << COMPRESSION_LEVEL;
  word |= option('memLevel') << COMPRESSION_MEM_LEVEL;
  word |= option('strategy') << COMPRESSION_STRATEGY;

  // A message is compressed if its length is not below; NaN and the like never let one be.
  const least = Number(threshold);
  const bytes = Number.isNaN(least) ? Infinity : Math.ceil(least);
  return { word, threshold: Math.min(Math.max(bytes, 0), LARGEST_THRESHOLD) };
}

module.exports = { compressionSettings, directions, suitsWorkers };
