/**
 * One linear memory with the module that works on it: the tables, and an arena that hands out buffers for windows, rings
 * and read buffers, so that what is received is where the scan looks for it. Fixed in size from the start: growing would
 * take the memory away from under every view. When the arena is full, buffers come from elsewhere, and the decoder in
 * TypeScript reads them.
 */
import { isReasonCodeValid } from '../../src/packets/reason-codes.ts';
import { FROM_ANYONE, FROM_CLIENT, V3_1_1, V5 } from '../../src/packets/types.ts';
import { CODEC_BINARY_BASE64 } from './binary.ts';
import { fromBase64, instantiate } from './wasm-module.ts';
import type { CodecExports, Instance } from './wasm-module.ts';

/** Bytes of the arena: 60 windows of 64 KiB, or thousands of small rings. */
export const ARENA_BYTES_DEFAULT = 4_194_304;

/** Reason codes that are valid, by code and type: for 3.1.1, and for 5.0 from client, server, anyone. */
const CODES_AT = 1024;
const CODES_BYTES = 512;
/** Where a batch says how far it came. */
export const RESULT_AT = CODES_AT + 4 * CODES_BYTES;
/** The table that the scan fills: one for all codecs of the memory, whoever scanned last has it. */
export const TABLE_AT = 4096;
export const TABLE_BYTES = 32_768;
const ARENA_AT = TABLE_AT + TABLE_BYTES;
/** The scan reads in blocks of sixteen bytes, of which the last may begin on a buffer's last byte. */
const SLACK_BYTES = 16;
const ALIGNMENT = 16;

/** A piece of the arena that nobody has. */
interface Gap {
  at: number;
  byteLength: number;
}

/** How a memory is made. */
export interface WasmMemoryOptions {
  /** What can be handed out, in bytes; ARENA_BYTES_DEFAULT. */
  arenaBytes?: number | undefined;
  /** The compiled module, for who has it from elsewhere than the build. */
  binary?: Uint8Array | undefined;
}

export class WasmMemory {
  readonly exports: CodecExports;
  readonly buffer: ArrayBuffer;
  /** The whole memory: an address is an index in it. */
  readonly bytes: Uint8Array;
  /** The table's words. */
  readonly rows: Int32Array;
  readonly words: Uint32Array;
  /** Whose the table is: it forgets what is in it when somebody else scans. */
  owner: { forget(): void } | null = null;
  private readonly gaps: Gap[];

  /** See createWasmMemory. */
  constructor(instance: Instance) {
    this.exports = instance.exports;
    this.buffer = instance.buffer;
    this.bytes = new Uint8Array(this.buffer);
    this.rows = new Int32Array(this.buffer, TABLE_AT, TABLE_BYTES / 4);
    this.words = new Uint32Array(this.buffer);
    this.gaps = [{ at: ARENA_AT, byteLength: this.buffer.byteLength - SLACK_BYTES - ARENA_AT }];
    const codes = new Uint16Array(this.buffer, CODES_AT, (4 * CODES_BYTES) / 2);
    for (let i = 0; i < codes.length; i++) {
      const sender = i >> 8;
      for (let type = 1; type < 16; type++) {
        if (isReasonCodeValid(type, i & 255, sender, sender === 0 ? V3_1_1 : V5)) codes[i] |= 1 << type;
      }
    }
  }

  /** Address of the reason codes that `sender` may send under `protocolVersion`. */
  codesAt(protocolVersion: number, sender: number): number {
    const known = sender >= FROM_CLIENT && sender < FROM_ANYONE ? sender : FROM_ANYONE;
    return CODES_AT + (protocolVersion === V5 ? known : 0) * CODES_BYTES;
  }

  /** A buffer of `byteLength` bytes in this memory, or undefined when there is no such room in one piece. */
  allocate(byteLength: number): Uint8Array | undefined {
    const size = roundUp(byteLength);
    const index = this.gaps.findIndex((gap) => gap.byteLength >= size);
    if (index < 0) return undefined;
    const gap = this.gaps[index];
    const bytes = new Uint8Array(this.buffer, gap.at, byteLength);
    gap.at += size;
    gap.byteLength -= size;
    if (gap.byteLength === 0) this.gaps.splice(index, 1);
    return bytes;
  }

  /** Takes a buffer back that `allocate` gave. Nobody may use it any more. */
  release(bytes: Uint8Array): void {
    const at = bytes.byteOffset;
    const byteLength = roundUp(bytes.length);
    let index = this.gaps.findIndex((gap) => gap.at > at);
    if (index < 0) index = this.gaps.length;
    this.gaps.splice(index, 0, { at, byteLength });
    this.join(index);
    if (index > 0) this.join(index - 1);
  }

  /** Bytes that can still be handed out, in however many pieces. */
  freeByteLength(): number {
    return this.gaps.reduce((sum, gap) => sum + gap.byteLength, 0);
  }

  /** Makes one gap of the one at `index` and the next, where they meet. */
  private join(index: number): void {
    const gap = this.gaps[index];
    if (index + 1 >= this.gaps.length || gap.at + gap.byteLength !== this.gaps[index + 1].at) return;
    gap.byteLength += this.gaps[index + 1].byteLength;
    this.gaps.splice(index + 1, 1);
  }
}

function roundUp(byteLength: number): number {
  return Math.ceil(Math.max(byteLength, 1) / ALIGNMENT) * ALIGNMENT;
}

/**
 * A memory, or undefined where there is no WebAssembly with SIMD, or where the sources run as they are, which hold no
 * compiled module: who asks goes on with the codec in TypeScript.
 */
export function createWasmMemory(options: WasmMemoryOptions = {}): WasmMemory | undefined {
  const arenaBytes = options.arenaBytes ?? ARENA_BYTES_DEFAULT;
  const binary = options.binary ?? fromBase64(CODEC_BINARY_BASE64);
  const instance = instantiate(binary, ARENA_AT + arenaBytes + SLACK_BYTES);
  return instance === undefined ? undefined : new WasmMemory(instance);
}
