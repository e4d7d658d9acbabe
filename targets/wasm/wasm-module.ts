/**
 * WebAssembly as far as it is used here, and where it may be missing: no types of a browser are needed to compile this.
 * Knows nothing of packets.
 */

/** What assembly/index.ts exports: see scan.ts and encode.ts there. Addresses and lengths are bytes. */
export interface CodecExports {
  scan(
    base: number,
    at: number,
    end: number,
    settings: number,
    maximumPacketSize: number,
    codes: number,
    row: number,
    rowsEnd: number,
  ): number;
  encodePublishes(
    descriptor: number,
    count: number,
    at: number,
    limit: number,
    isV5: number,
    result: number,
  ): number;
}

interface LinearMemory {
  readonly buffer: ArrayBuffer;
}

interface WebAssemblyHere {
  Memory: new (descriptor: { initial: number; maximum: number }) => LinearMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: unknown };
}

/** A module's exports and the memory it works on. */
export interface Instance {
  readonly exports: CodecExports;
  readonly buffer: ArrayBuffer;
}

const PAGE_BYTES = 65536;

/**
 * Instantiates `binary` with a memory of its own, which never grows: growing would take it away from under every view.
 * Undefined where there is no WebAssembly, no SIMD in it, or no such amount of memory.
 */
export function instantiate(binary: Uint8Array, byteLength: number): Instance | undefined {
  const { WebAssembly } = globalThis as { WebAssembly?: WebAssemblyHere };
  if (WebAssembly === undefined || binary.length === 0) return undefined;
  try {
    const pages = Math.ceil(byteLength / PAGE_BYTES);
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    const instance = new WebAssembly.Instance(new WebAssembly.Module(binary), { env: { memory } });
    return { exports: instance.exports as CodecExports, buffer: memory.buffer };
  } catch {
    return undefined;
  }
}

/** The bytes that `text` in base64 stands for. */
export function fromBase64(text: string): Uint8Array {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  return bytes;
}
