/**
 * The memory: what it hands out and takes back, that it never grows, and what there is when it cannot be had.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Decoder } from '../../../src/packets/codec.ts';
import { isReasonCodeValid } from '../../../src/packets/reason-codes.ts';
import { FROM_ANYONE, FROM_CLIENT, FROM_SERVER, V3_1_1, V5 } from '../../../src/packets/types.ts';
import { WasmCodec, createWasmCodec, createWasmMemory } from '../../../targets/wasm/index.ts';
import { Random, SEED } from '../../seed.ts';
import { prepareBinary, testMemory } from './binary.ts';

/** What docs/wasm.md says, rounded up to the next hundred. */
const BINARY_BYTES_MAX = 5000;

describe('the compiled module', () => {
  it(`takes no more than ${BINARY_BYTES_MAX} bytes, and imports nothing but a memory`, async () => {
    const binary = await prepareBinary();
    expect(binary.length).toBeLessThanOrEqual(BINARY_BYTES_MAX);
    const { WebAssembly } = globalThis as any;
    const module = new WebAssembly.Module(binary);
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: 'env', name: 'memory', kind: 'memory' }]);
    expect(WebAssembly.Module.exports(module).map((one: { name: string }) => one.name)).toEqual([
      'encodePublishes',
      'scan',
    ]);
  });
});

describe('the arena', () => {
  it('hands out buffers that do not overlap, and all of them again', async () => {
    const memory = await testMemory(65_536);
    const random = new Random(SEED);
    const whole = memory.freeByteLength();
    const lent: Uint8Array[] = [];
    for (let round = 0; round < 2000; round++) {
      if (random.below(2) === 0) {
        const bytes = memory.allocate(1 + random.below(3000));
        if (bytes === undefined) continue;
        expect(bytes.byteOffset % 16).toBe(0);
        lent.push(bytes.fill(lent.length));
        lent.forEach((one) => one.fill(one.byteOffset >> 4));
        for (const one of lent) {
          expect(one[0]).toBe((one.byteOffset >> 4) & 255);
          expect(one[one.length - 1]).toBe(one[0]);
        }
      } else if (lent.length > 0) {
        memory.release(lent.splice(random.below(lent.length), 1)[0]);
      }
    }
    lent.forEach((bytes) => memory.release(bytes));
    expect(memory.freeByteLength()).toBe(whole);
    expect(memory.allocate(whole)).toHaveLength(whole);
  });

  it('says when it is full, and never grows', async () => {
    const memory = await testMemory(65_536);
    const { buffer } = memory;
    const bytes = memory.allocate(60_000);
    expect(bytes).toHaveLength(60_000);
    expect(memory.allocate(140_000)).toBeUndefined();
    memory.release(bytes!);
    expect(memory.buffer).toBe(buffer);
    expect(buffer.byteLength).toBeGreaterThan(65_536);
    expect(memory.bytes).toHaveLength(buffer.byteLength);
  });

  it('leaves room behind the last buffer for a block of sixteen bytes', async () => {
    const memory = await testMemory(65_536);
    const last = memory.allocate(memory.freeByteLength())!;
    expect(last.byteOffset + last.length + 15).toBeLessThan(memory.buffer.byteLength);
  });
});

describe('the table of reason codes', () => {
  it.each([
    [V5, FROM_CLIENT],
    [V5, FROM_SERVER],
    [V5, FROM_ANYONE],
    [V3_1_1, FROM_SERVER],
  ])('agrees with the standard, version %d, sender %d', async (version, sender) => {
    const memory = await testMemory();
    const codes = new Uint16Array(memory.buffer, memory.codesAt(version, sender), 256);
    for (let code = 0; code < 256; code++) {
      for (const type of [4, 5, 6, 7, 9, 11]) {
        expect((codes[code] >> type) & 1).toBe(isReasonCodeValid(type, code, sender, version) ? 1 : 0);
      }
    }
  });
});

describe('where it cannot be had', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
  });

  it('is undefined without WebAssembly', async () => {
    const binary = await prepareBinary();
    vi.stubGlobal('WebAssembly', undefined);
    expect(createWasmMemory({ binary })).toBeUndefined();
  });

  it('is undefined when the engine does not take the module, as one without SIMD', () => {
    expect(createWasmMemory({ binary: Uint8Array.of(0, 0x61, 0x73, 0x6d, 9, 0, 0, 0) })).toBeUndefined();
  });

  it('is undefined when there is no such amount of memory', async () => {
    expect(createWasmMemory({ binary: await prepareBinary(), arenaBytes: 2 ** 40 })).toBeUndefined();
  });

  it('is undefined in sources that nobody has built', () => {
    expect(createWasmMemory()).toBeUndefined();
  });

  it('leaves the codec in TypeScript', async () => {
    expect(createWasmCodec(undefined, V5, FROM_SERVER, null)).toBeInstanceOf(Decoder);
    expect(createWasmCodec(await testMemory(), V5, FROM_SERVER, null)).toBeInstanceOf(WasmCodec);
  });
});
