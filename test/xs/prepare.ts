/**
 * Builds the worker once before all test files that want it, which would build it once each. When that fails, they say
 * why: each asks for the worker again.
 */
import { prepareXsEngine } from '../../sim/xs/engine.ts';

export default async function prepare(): Promise<void> {
  await prepareXsEngine({
    onProgress: (text) => process.stderr.write(`[xs] ${text}\n`),
  }).catch(() => undefined);
}
