/** The WASM codec as one more under test. Engines without WebAssembly get test/xs/guest/no-wasm-codecs.ts instead. */
import { copyingCodecs } from '../targets/wasm/binary.ts';

export const WASM_CODECS = [{ name: 'WASM', create: await copyingCodecs() }];
