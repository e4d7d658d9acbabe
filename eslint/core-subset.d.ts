/** Types of core-subset.js, for the test that runs it: TypeScript does not read JavaScript here. */
import type { Linter } from 'eslint';

/** Globs of the core, and of what lies beside it in `src/`. */
export const coreFiles: string[];
export const coreIgnores: string[];

/** The rules of the core's language subset. Needs a parser for TypeScript, and no type information. */
export const coreSubset: Linter.Config[];
