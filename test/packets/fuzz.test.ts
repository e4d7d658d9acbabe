/**
 * Random and mutated bytes through every codec: whatever they are, it answers, says nothing that is not in them, and
 * what it accepts can be written and read again. MOTEMQ_SEED repeats or changes a run.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeObjects, encodeObject, toHex } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { PROPERTY_ROWS } from '../../src/packets/property-table.ts';
import { varintByteLength, writeVarint } from '../../src/wire/varint.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import { readVectors } from '../support/vectors.ts';
import { packets } from './arbitraries.ts';
import {
  CODECS,
  SENDERS,
  VERSIONS,
  checkOutcome,
  decodeAt,
  decodeEverywhere,
  type CodecUnderTest,
} from './decoding.ts';

const ROUNDS = shareOf(100_000);
const BYTES_MAX = 400;

/** Bytes at which something begins or ends: lengths, flags, wildcards, edges of UTF-8, property identifiers. */
const EDGES = [
  ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x7f, 0x80, 0xff, 0xfe, 0x23, 0x2b, 0x2f, 0x24],
  ...[0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x20, 0x30, 0x32, 0x36, 0x3b, 0x62, 0x82, 0xa2, 0xd0],
  ...Array.from(PROPERTY_ROWS.keys()).filter((id) => PROPERTY_ROWS[id] !== 255),
];

/** One small change somewhere in the bytes. */
function mutate(bytes: number[], random: Random, others: readonly Uint8Array[]): void {
  const at = random.below(bytes.length + 1);
  switch (random.below(9)) {
    case 0:
      bytes[at] ^= 1 << random.below(8);
      break;
    case 1:
    case 2:
      bytes[at] = random.pick(EDGES);
      break;
    case 3:
      bytes[at] = (bytes[at] ?? 0) + random.pick([1, -1]);
      break;
    case 4:
      bytes.splice(at, 0, random.pick(EDGES));
      break;
    case 5:
      bytes.splice(at, 1 + random.below(4));
      break;
    case 6:
      bytes.splice(at, 0, ...bytes.slice(at, at + 1 + random.below(12)));
      break;
    case 7: {
      const other = random.pick(others);
      const from = random.below(other.length);
      bytes.splice(at, random.below(8), ...other.subarray(from, from + random.below(24)));
      break;
    }
    default:
      bytes.length = at;
  }
}

/** The same with a Remaining Length that agrees with the bytes: otherwise little gets past the fixed header. */
function repair(bytes: Uint8Array): Uint8Array {
  let bodyAt = 1;
  while (bodyAt < 5 && bytes[bodyAt] > 127) bodyAt++;
  const body = bytes.subarray(bodyAt + 1);
  const repaired = new Uint8Array(1 + varintByteLength(body.length) + body.length);
  repaired[0] = bytes[0] ?? 0x30;
  repaired.set(body, writeVarint(repaired, 1, body.length));
  return repaired;
}

/** One string of bytes: wild, or made of one that is a packet. */
function sample(random: Random, seeds: readonly Uint8Array[]): Uint8Array {
  let bytes: number[];
  if (random.below(20) === 0) {
    bytes = Array.from({ length: random.below(40) }, () => random.below(256));
  } else {
    bytes = Array.from(random.pick(seeds));
    for (let count = 1 + random.below(3); count > 0; count--) mutate(bytes, random, seeds);
  }
  const array = Uint8Array.from(bytes.slice(0, BYTES_MAX));
  return random.below(3) === 0 ? array : repair(array);
}

function seedBytes(): Uint8Array[] {
  const seeds = readVectors().map((vector) => vector.bytes);
  for (const protocolVersion of VERSIONS) {
    const objects = fc.sample(packets(protocolVersion), { seed: SEED, numRuns: 500 });
    seeds.push(...objects.map((object) => encodeObject(object, { protocolVersion })));
  }
  return seeds.filter((bytes) => bytes.length <= BYTES_MAX);
}

/** Everything that must hold of one string of bytes. Returns whether it is a packet. */
function examine(codec: CodecUnderTest, bytes: Uint8Array, random: Random, packet: Packet): boolean {
  const protocolVersion = random.pick(VERSIONS);
  const sender = random.pick(SENDERS);
  const decoder = codec.create(protocolVersion, sender);
  const outcome = decodeEverywhere(decoder, bytes, packet);
  checkOutcome(outcome, bytes);
  if (outcome.packet) {
    // Every codec agrees with itself about what it accepted, in its canonical form.
    const again = encodeObject(outcome.packet, { protocolVersion });
    const second = decodeEverywhere(decoder, again, packet);
    expect(second.packet).toStrictEqual(outcome.packet);
    expect(decodeObjects(again, { protocolVersion, sender, followsConnect: false }).error).toBeUndefined();
  } else if (bytes.length > 0 && outcome.status === 'NEED_DATA') {
    // A packet that is not whole is one that would be longer.
    expect(toHex(repair(bytes))).not.toBe(toHex(bytes));
  }
  // The first bytes alone never say more than all of them.
  const cut = random.below(bytes.length + 1);
  const early = decodeAt(decoder, bytes, 0, cut, packet);
  const isWhole = outcome.status === 'OK' && cut >= outcome.byteLength!;
  if (early.status !== 'NEED_DATA' && !isWhole) expect(early).toStrictEqual(outcome);
  return outcome.status === 'OK';
}

describe.each(CODECS)('the $name codec', (codec) => {
  it(`takes ${ROUNDS.toLocaleString('en')} strings of bytes as they come`, { timeout: 120_000 }, () => {
    const random = new Random(SEED);
    const seeds = seedBytes();
    const packet = new Packet();
    let accepted = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = sample(random, seeds);
      try {
        if (examine(codec, bytes, random, packet)) accepted++;
      } catch (cause) {
        throw new Error(`round ${round} of MOTEMQ_SEED=${SEED}: ${toHex(bytes)}`, { cause });
      }
    }
    // Otherwise the mutations are too wild to find anything behind the first check, or too tame.
    expect(accepted / ROUNDS).toBeGreaterThan(0.1);
    expect(accepted / ROUNDS).toBeLessThan(0.9);
  });
});
