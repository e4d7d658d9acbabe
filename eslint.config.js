/**
 * ESLint for the whole tree: typescript-eslint's strict and stylistic rules with type information, tuned where they cost
 * more than they find, and for the core the language subset of eslint/core-subset.js on top. JavaScript, because
 * ESLint on Node 20 would need one more dependency to read a TypeScript configuration.
 */
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { coreFiles, coreIgnores, coreSubset } from './eslint/core-subset.js';

const nodeGlobals = { Buffer: 'readonly', console: 'readonly', process: 'readonly', URL: 'readonly' };
const boardGlobals = { device: 'readonly', globalThis: 'readonly', native: 'readonly', trace: 'readonly' };

export default defineConfig(
  // AssemblyScript looks like TypeScript, and is compiled by a compiler of its own.
  globalIgnores(['dist/', 'coverage/', 'targets/wasm/assembly/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  // Scripts that run as they are.
  {
    name: 'scripts',
    files: ['*.js', 'bin/**/*.js', 'eslint/**/*.js', '.ci/**/*.{js,mjs}', 'manifests/**/*.mjs'],
    extends: [js.configs.recommended],
    languageOptions: { globals: nodeGlobals },
    rules: { eqeqeq: 'error' },
  },

  // Modules of a board, as XS machines get them.
  {
    name: 'board modules',
    files: ['sim/xs/modules/*.js', 'manifests/**/*.js'],
    extends: [js.configs.recommended],
    languageOptions: { globals: boardGlobals },
    rules: { eqeqeq: 'error' },
  },

  {
    name: 'typescript',
    files: ['{src,targets,sim,test,bench}/**/*.ts', '*.config.ts'],
    extends: [
      js.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      eqeqeq: 'error',
      // Loops over sockets have no other end.
      'no-constant-condition': ['error', { checkLoops: false }],
      // An index may be out of range though its type does not say so (noUncheckedIndexedAccess is off), and a peer may
      // send what a type excludes: the rule calls both tests needless.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/restrict-plus-operands': ['error', { allowNumberAndString: true }],
      '@typescript-eslint/dot-notation': ['error', { allowIndexSignaturePropertyAccess: true }],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', destructuredArrayIgnorePattern: '^_' },
      ],
      '@typescript-eslint/no-unused-expressions': ['error', { allowShortCircuit: true, allowTernary: true }],
      // `a || b` on text and numbers means it; on objects `??` is what is meant.
      '@typescript-eslint/prefer-nullish-coalescing': [
        'error',
        { ignorePrimitives: true, ignoreIfStatements: true },
      ],
      '@typescript-eslint/no-empty-function': ['error', { allow: ['arrowFunctions'] }],
      // Matters of taste on which the code is free.
      // What is caught is passed on as it was caught.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/consistent-indexed-object-style': 'off',
      '@typescript-eslint/class-literal-property-style': 'off',
      '@typescript-eslint/prefer-for-of': 'off',
      '@typescript-eslint/prefer-regexp-exec': 'off',
      '@typescript-eslint/no-extraneous-class': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/non-nullable-type-assertion-style': 'off',
      '@typescript-eslint/unified-signatures': 'off',
    },
  },

  // Tests and measurements say "this is there" by using it, and hand wrong things over on purpose.
  {
    name: 'tests',
    files: ['{test,bench}/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-explicit-any': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },

  // The core: first without the advice that its language subset forbids to follow, then the subset itself.
  {
    name: 'core',
    files: coreFiles,
    ignores: coreIgnores,
    rules: {
      'prefer-rest-params': 'off',
      'prefer-spread': 'off',
      '@typescript-eslint/prefer-optional-chain': 'off',
      // `let value = 0` before a switch keeps the variable an integer from the start.
      'no-useless-assignment': 'off',
    },
  },
  coreSubset,
);
