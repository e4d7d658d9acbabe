/** Stands for test/packets/wasm-codecs.ts in XS, which has no WebAssembly. */
export const WASM_CODECS: readonly never[] = [];
