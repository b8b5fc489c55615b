// What is measured side by side: a library, the binary that runs it, and the
// variables that it gets. ferrows may stand there several times, once for each
// setting of FERROWS_IO; "ferrows" alone means the setting `auto`.

'use strict';

const path = require('path');

const SERVER = path.join(__dirname, 'programs', 'server.js');
const BUN_SERVER = path.join(__dirname, 'programs', 'bun-server.js');

function ferrows(setting, node) {
  return {
    label: setting === 'auto' ? 'ferrows' : `ferrows/${setting}`,
    library: 'ferrows',
    binary: node,
    server: [SERVER, 'ferrows'],
    environment: { FERROWS_IO: setting }
  };
}

/** The columns that the options ask for; the first one is what the others are compared with. */
function columns({ libraries, io, node, bun }) {
  return libraries.flatMap((library) => {
    if (library === 'ferrows') return io.map((setting) => ferrows(setting, node));
    const native = library === 'bun';
    return {
      label: library,
      library,
      binary: native ? bun : node,
      server: native ? [BUN_SERVER] : [SERVER, library],
      environment: {}
    };
  });
}

/** Whether a column can be measured in a scenario. */
function takesPart({ library }, scenario) {
  return library !== 'bun' || scenario.bun !== false;
}

module.exports = { columns, takesPart };
