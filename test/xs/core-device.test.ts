/**
 * Tests of the core, run in an XS machine: group "device" of core-files.ts.
 */
import { IN_XS } from './core-files.ts';
import { runInXs } from './guest-tests.ts';

await runInXs('core-device', IN_XS.device);
