/**
 * Tests of the core, run in an XS machine: group "rest" of core-files.ts.
 */
import { IN_XS } from './core-files.ts';
import { runInXs } from './guest-tests.ts';

await runInXs('core-rest', IN_XS.rest);
