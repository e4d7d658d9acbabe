/**
 * The WASM codec as its sources are now, kept by what they say: compiling takes seconds, and no test needs a build. And a
 * codec on it for tests whose bytes are wherever they like.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Codec } from '../../../src/packets/codec.ts';
import { decodeRequest } from '../../../src/packets/requests.ts';
import type { Packet } from '../../../src/packets/packet.ts';
import { compileAssembly, describeInputs } from '../../../targets/wasm/build/compile.ts';
import { WasmCodec, createWasmMemory, type WasmMemory } from '../../../targets/wasm/index.ts';

const ASSEMBLY = fileURLToPath(new URL('../../../targets/wasm/assembly', import.meta.url));
const CACHE = fileURLToPath(new URL('../../../node_modules/.cache/motemq-wasm', import.meta.url));

function cachePath(): string {
  const hash = createHash('sha256').update(describeInputs(ASSEMBLY)).digest('hex').slice(0, 16);
  return `${CACHE}/${hash}.wasm`;
}

/** The compiled module; compiles it if nobody has. */
export async function prepareBinary(): Promise<Uint8Array> {
  const path = cachePath();
  if (!existsSync(path)) {
    const binary = await compileAssembly(ASSEMBLY);
    mkdirSync(dirname(path), { recursive: true });
    // At once, for whoever looks meanwhile.
    writeFileSync(`${path}.${process.pid}`, binary);
    renameSync(`${path}.${process.pid}`, path);
  }
  return readFileSync(path);
}

/** A memory for tests, on the sources as they are now. */
export async function testMemory(arenaBytes = 1_048_576): Promise<WasmMemory> {
  const memory = createWasmMemory({ arenaBytes, binary: await prepareBinary() });
  if (memory === undefined) throw new Error('no WebAssembly with SIMD here');
  return memory;
}

/** Copies what it is given to the same offset of a buffer in the memory, and has that decoded, however short it is. */
class CopyingCodec implements Codec {
  protocolVersion: number;
  sender: number;
  maximumPacketSize: number;
  windowByteLength: number;
  private readonly codec: WasmCodec;
  private readonly window: Uint8Array;

  constructor(memory: WasmMemory, window: Uint8Array, protocolVersion: number, sender: number) {
    this.codec = new WasmCodec(memory, protocolVersion, sender, decodeRequest);
    this.codec.scanBytesMin = 1;
    this.window = window;
    this.protocolVersion = protocolVersion;
    this.sender = sender;
    this.maximumPacketSize = this.codec.maximumPacketSize;
    this.windowByteLength = this.codec.windowByteLength;
  }

  decode(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
    this.codec.maximumPacketSize = this.maximumPacketSize;
    this.codec.windowByteLength = this.windowByteLength;
    this.window.set(bytes);
    this.codec.forget();
    return this.codec.decode(this.window, at, end, packet);
  }
}

/** Makes codecs for tests that compare all there are. */
export async function copyingCodecs(): Promise<(protocolVersion: number, sender: number) => Codec> {
  const memory = await testMemory();
  const window = memory.allocate(524_288)!;
  return (protocolVersion, sender) => new CopyingCodec(memory, window, protocolVersion, sender);
}
