'use strict';

const globals = require('globals');
const js = require('@eslint/js');
const prettier = require('eslint-config-prettier');

module.exports = [
  { ignores: ['lib/native/**', 'target/**', 'bench/results/**', '.cache/**'] },
  js.configs.recommended,
  {
    files: ['**/*.js'],
    languageOptions: { ecmaVersion: 2022, sourceType: 'commonjs', globals: globals.node },
    rules: {
      'no-unused-vars': ['error', { caughtErrors: 'none', argsIgnorePattern: '^_' }],
      'no-var': 'error',
      'object-shorthand': 'error',
      'prefer-const': ['error', { destructuring: 'all' }],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      strict: ['error', 'global']
    }
  },
  { files: ['**/*.mjs'], languageOptions: { ecmaVersion: 2022, sourceType: 'module' } },
  { files: ['__test__/**/*.js'], languageOptions: { globals: globals.jest } },
  // Functions for the page are written inside the browser test.
  { files: ['__test__/browser/**/*.js'], languageOptions: { globals: globals.browser } },
  {
    files: ['examples/demo/public/**/*.js'],
    languageOptions: { sourceType: 'module', globals: globals.browser }
  },
  prettier
];
