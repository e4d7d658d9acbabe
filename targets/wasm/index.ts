/**
 * The WASM hot path: a codec behind the same interface, the memory it works on, and publishing in batches. Nothing uses it
 * unless it is asked to: docs/wasm.md.
 */
import { Decoder } from '../../src/packets/codec.ts';
import type { Codec, RequestDecoder } from '../../src/packets/codec.ts';
import { WasmCodec } from './wasm-codec.ts';
import type { WasmMemory } from './wasm-memory.ts';

export { PublishBatch } from './publish-batch.ts';
export { SCAN_BYTES_MIN, WasmCodec } from './wasm-codec.ts';
export { ARENA_BYTES_DEFAULT, WasmMemory, createWasmMemory } from './wasm-memory.ts';
export type { WasmMemoryOptions } from './wasm-memory.ts';

/**
 * A codec for one connection: on `memory`, or, when that is undefined because there is no WebAssembly, the one in
 * TypeScript. The other parameters are those of a Decoder. To gain by it, windows and read buffers must come from
 * `memory.allocate`; other bytes are read as if there were no such memory.
 */
export function createWasmCodec(
  memory: WasmMemory | undefined,
  protocolVersion: number,
  sender: number,
  requests: RequestDecoder | null,
): Codec {
  return memory === undefined
    ? new Decoder(protocolVersion, sender, requests)
    : new WasmCodec(memory, protocolVersion, sender, requests);
}
