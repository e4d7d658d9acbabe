/**
 * Publishing in batches: the bytes are those of the encoder in TypeScript, as many as there is room for.
 */
import { describe, expect, it } from 'vitest';
import { encodePublish } from '../../../src/packets/publish.ts';
import { V3_1_1, V5 } from '../../../src/packets/types.ts';
import { Ring } from '../../../src/wire/ring.ts';
import { PublishBatch, type WasmMemory } from '../../../targets/wasm/index.ts';
import { Random, SEED, shareOf } from '../../seed.ts';
import { testMemory } from './binary.ts';

const NONE = new Uint8Array(0);

/** A message's parts, in the memory. */
interface Parts {
  readonly flags: number;
  readonly packetId: number;
  readonly alias: number;
  readonly topic: Uint8Array;
  readonly properties: Uint8Array;
  readonly payload: Uint8Array;
}

function partsOf(random: Random, source: Uint8Array): Parts {
  const piece = (byteLength: number): Uint8Array => {
    const at = random.below(source.length - byteLength + 1);
    return source.subarray(at, at + byteLength);
  };
  const qos = random.below(3);
  return {
    flags: (qos << 1) | random.below(2) | (qos > 0 ? random.below(2) << 3 : 0),
    packetId: qos === 0 ? 0 : 1 + random.below(65_535),
    alias: random.below(2) * random.below(65_536),
    topic: piece(random.pick([0, 1, 3, 4, 7, 8, 15, 16, 17, 31, 33, 300])),
    properties: piece(random.pick([0, 0, 5, 13, 126, 127, 128, 300])),
    payload: piece(random.pick([0, 1, 2, 5, 8, 64, 121, 130, 511, 512, 513, 2000])),
  };
}

function encodeOne(out: Uint8Array, at: number, limit: number, version: number, one: Parts): number {
  const { flags, packetId, alias, topic, properties, payload } = one;
  // prettier-ignore
  return encodePublish(out, at, limit, flags, version, topic, topic.length, packetId, alias, properties, properties.length, payload, payload.length);
}

function add(batch: PublishBatch, one: Parts): boolean {
  const { flags, packetId, alias, topic, properties, payload } = one;
  // prettier-ignore
  return batch.add(flags, packetId, alias, topic.byteOffset, topic.length, properties.byteOffset, properties.length, payload.byteOffset, payload.length);
}

function sourceIn(memory: WasmMemory): Uint8Array {
  const source = memory.allocate(8192)!;
  for (let i = 0; i < source.length; i++) source[i] = (i * 31) >> 3;
  return source;
}

describe('a batch', () => {
  it.each([V5, V3_1_1])(
    'writes what the encoder writes, and nothing behind it, version %d',
    async (version) => {
      const memory = await testMemory();
      const source = sourceIn(memory);
      const random = new Random(SEED);
      const batch = PublishBatch.create(memory, version, 8)!;
      const storage = memory.allocate(4096)!;
      for (let round = shareOf(20_000); round > 0; round--) {
        const ring = new Ring(storage.subarray(0, 200 + random.below(3800)));
        storage.fill(0xa5);
        ring.end = random.below(20);
        const parts = Array.from({ length: 1 + random.below(8) }, () => partsOf(random, source));
        const expected = new Uint8Array(storage.length).fill(0xa5);
        let end = ring.end;
        let fitting = 0;
        for (; fitting < parts.length; fitting++) {
          const behind = encodeOne(expected, end, ring.bytes.length, version, parts[fitting]);
          if (behind < 0) break;
          end = behind;
        }
        for (const one of parts) expect(add(batch, one)).toBe(true);
        expect(batch.encode(ring)).toBe(fitting);
        expect(ring.end).toBe(end);
        expect(Buffer.compare(storage, expected)).toBe(0);
        // The others are still there, in their order.
        expect(batch.count).toBe(parts.length - fitting);
        ring.clear();
        if (batch.count > 0) {
          const behind = encodeOne(expected, 0, ring.bytes.length, version, parts[fitting]);
          const written = batch.encode(ring);
          expect(written > 0).toBe(behind > 0);
          if (behind > 0)
            expect(Buffer.compare(storage.subarray(0, behind), expected.subarray(0, behind))).toBe(0);
        }
        batch.count = 0;
      }
    },
  );

  it('takes no more than it was made for, and gives its room back', async () => {
    const memory = await testMemory();
    const free = memory.freeByteLength();
    const batch = PublishBatch.create(memory, V5, 2)!;
    const one = { flags: 0, packetId: 0, alias: 1, topic: NONE, properties: NONE, payload: NONE };
    expect([add(batch, one), add(batch, one), add(batch, one)]).toEqual([true, true, false]);
    expect(batch.count).toBe(2);
    batch.release();
    expect(memory.freeByteLength()).toBe(free);
    expect(PublishBatch.create(memory, V5, free)).toBeUndefined();
  });

  it('does not write into a ring elsewhere', async () => {
    const batch = PublishBatch.create(await testMemory(), V5, 2)!;
    expect(() => batch.encode(new Ring(new Uint8Array(64)))).toThrow('not in the memory');
  });
});
