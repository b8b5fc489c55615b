// The library under test: ferrows, or with FERROWS_TEST_LIB=ws the original, which
// shows that what the tests expect is what ws does.

'use strict';

const name = process.env.FERROWS_TEST_LIB || 'ferrows';

module.exports = name === 'ws' ? require('ws') : require('../..');
