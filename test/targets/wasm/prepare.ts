/**
 * Compiles the WASM codec once before all test files that want it, unless it was compiled from the same sources before.
 */
import { prepareBinary } from './binary.ts';

export default async function prepare(): Promise<void> {
  await prepareBinary();
}
