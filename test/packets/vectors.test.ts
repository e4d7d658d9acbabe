/**
 * The hand-written vectors of test/vectors, each through every codec in every way bytes can arrive, and back.
 */
import { describe, expect, it } from 'vitest';
import type { Codec } from '../../src/packets/codec.ts';
import { encodeObject, encodeObjectInto } from '../../src/packets/inspect.ts';
import { Packet } from '../../src/packets/packet.ts';
import { FROM_ANYONE, FROM_CLIENT, FROM_SERVER, V3_1_1, V5 } from '../../src/packets/types.ts';
import { NO_SPACE } from '../../src/status.ts';
import { varintByteLength, writeVarint } from '../../src/wire/varint.ts';
import { readVectors, type Vector } from '../support/vectors.ts';
import {
  CODECS,
  checkOutcome,
  decodeAt,
  decodeEverywhere,
  surround,
  type CodecUnderTest,
  type Outcome,
} from './decoding.ts';

const RING_OFFSETS = 65;
const GUARD = 0xa5;
/** PUBREL 1: in both versions from either side, and not what any vector begins with by chance. */
const NEXT_PACKET = [0x62, 0x02, 0x00, 0x01];

/** Who the packet may come from: where a vector says both, both must be told the same. */
function sendersOf({ direction, expected }: Vector): number[] {
  if (direction === 'client to server') return [FROM_CLIENT];
  if (direction === 'server to client') return [FROM_SERVER];
  // Whoever does not know the sender refuses at most what he knows is wrong from either.
  return 'packet' in expected ? [FROM_CLIENT, FROM_SERVER, FROM_ANYONE] : [FROM_CLIENT, FROM_SERVER];
}

/** The outcome that the vector expects of its whole bytes, but for the violation's own name. */
function expectedOutcome({ bytes, expected }: Vector): Outcome {
  return 'packet' in expected
    ? { status: 'OK', byteLength: bytes.length, packet: expected.packet as unknown as Outcome['packet'] & {} }
    : { status: 'VIOLATION', reasonCode: expected.error.reasonCode, offset: expected.error.offset };
}

/** One vector, read as one version from one side by one codec. */
class Run {
  readonly vector: Vector;
  readonly protocolVersion: number;
  readonly create: () => Codec;
  readonly expected: Outcome;

  constructor(codec: CodecUnderTest, vector: Vector, protocolVersion: number, sender: number) {
    this.vector = vector;
    this.protocolVersion = protocolVersion;
    this.create = () => codec.create(protocolVersion, sender);
    this.expected = expectedOutcome(vector);
  }

  whole(): void {
    const outcome = decodeEverywhere(this.create(), this.vector.bytes);
    expect(outcome).toMatchObject(this.expected);
    // toMatchObject lets more keys pass: an accepted packet has exactly those of the vector.
    if (this.expected.packet) expect(outcome.packet).toStrictEqual(this.expected.packet);
  }

  /** One byte more each time, always with the same codec and record: never an answer that changes later. */
  byteByByte(): void {
    const { bytes } = this.vector;
    const codec = this.create();
    const packet = new Packet();
    const outcome = decodeAt(codec, bytes, 0, bytes.length, packet);
    let isDecided = false;
    for (let end = 0; end < bytes.length; end++) {
      const early = decodeAt(codec, bytes, 0, end, packet);
      if (early.status === 'NEED_DATA' && !isDecided) continue;
      isDecided = true;
      expect(early, `the first ${end} bytes`).toStrictEqual(outcome);
      expect(early.status, `the first ${end} bytes`).toBe('VIOLATION');
    }
    expect(decodeAt(codec, bytes, 0, bytes.length, packet)).toStrictEqual(outcome);
  }

  /** In two pieces, the second of which is not there at first: its place holds garbage. */
  everySplit(): void {
    const { bytes } = this.vector;
    for (let split = 1; split < bytes.length; split++) {
      const codec = this.create();
      const window = new Uint8Array(bytes.length).fill(0xff);
      window.set(bytes.subarray(0, split));
      const packet = new Packet();
      const early = decodeAt(codec, window, 0, split, packet);
      expect(['NEED_DATA', 'VIOLATION'], `split at ${split}`).toContain(early.status);
      window.set(bytes);
      expect(decodeAt(codec, window, 0, bytes.length, packet), `split at ${split}`).toMatchObject(
        this.expected,
      );
    }
  }

  everyRingOffset(): void {
    const { bytes } = this.vector;
    const codec = this.create();
    for (let at = 0; at < RING_OFFSETS; at++) {
      const outcome = decodeAt(codec, surround(bytes, at, 0xff), at, at + bytes.length);
      expect(outcome, `at ${at}`).toMatchObject(this.expected);
    }
  }

  trailingBytes(): void {
    const { bytes } = this.vector;
    const codec = this.create();
    const both = Uint8Array.from([...bytes, ...NEXT_PACKET]);
    const packet = new Packet();
    expect(decodeAt(codec, both, 0, both.length, packet)).toMatchObject(this.expected);
    if (this.expected.status !== 'OK') return;
    const next = decodeAt(codec, both, bytes.length, both.length, packet);
    expect(next.packet).toStrictEqual({ type: 'PUBREL', packetId: 1 });
  }

  /** Cut off at every length, with a fixed header that says so: whatever comes of it is sound. */
  truncated(): void {
    const { bytes } = this.vector;
    let bodyAt = 1;
    while (bytes[bodyAt] > 127) bodyAt++;
    bodyAt++;
    const codec = this.create();
    for (let length = 0; bodyAt + length < bytes.length; length++) {
      const short = new Uint8Array(1 + varintByteLength(length) + length);
      short[0] = bytes[0];
      short.set(bytes.subarray(bodyAt, bodyAt + length), writeVarint(short, 1, length));
      const outcome = decodeEverywhere(codec, short);
      checkOutcome(outcome, short);
      expect(outcome.status, `cut to ${length}`).not.toBe('NEED_DATA');
      if (outcome.packet) this.isFixedPoint(codec, outcome.packet);
    }
  }

  /** Encoding a packet and decoding that again leaves it as it is. */
  isFixedPoint(codec: Codec, object: NonNullable<Outcome['packet']>): void {
    const again = encodeObject(object, { protocolVersion: this.protocolVersion });
    expect(decodeEverywhere(codec, again).packet).toStrictEqual(object);
  }

  reencoded(): void {
    const { packet: object } = this.expected;
    if (!object) return;
    const { bytes, encodes } = this.vector;
    const encoded = encodeObject(object, { protocolVersion: this.protocolVersion });
    if (encodes) expect(encoded).toStrictEqual(Uint8Array.from(bytes));
    else this.isFixedPoint(this.create(), object);
    this.tooSmallOutputs(object, encoded);
  }

  tooSmallOutputs(object: NonNullable<Outcome['packet']>, encoded: Uint8Array): void {
    const at = 3;
    const out = new Uint8Array(at + encoded.length + 3);
    const options = { protocolVersion: this.protocolVersion };
    for (let room = 0; room <= encoded.length; room++) {
      out.fill(GUARD);
      const end = encodeObjectInto(object, options, out, at, at + room);
      const isEnough = room === encoded.length;
      expect(end, `${room} bytes of room`).toBe(isEnough ? at + room : NO_SPACE);
      const untouched = isEnough ? [...out.subarray(0, at), ...out.subarray(at + room)] : [...out];
      expect(untouched.every((byte) => byte === GUARD)).toBe(true);
      if (isEnough) expect(out.slice(at, at + room)).toStrictEqual(encoded);
    }
  }
}

const CHECKS = [
  'whole',
  'byteByByte',
  'everySplit',
  'everyRingOffset',
  'trailingBytes',
  'truncated',
  'reencoded',
] as const;

const vectors = readVectors();
const files = [...new Set(vectors.map((vector) => vector.file))];

describe.each(CODECS)('the $name codec', (codec) => {
  describe.each(files)('%s', (file) => {
    for (const vector of vectors.filter((one) => one.file === file)) {
      const clauses = vector.clauses.map((clause) => ` [${clause}]`).join('');
      it(`line ${vector.line}: ${vector.title}${clauses}`, () => {
        for (const version of vector.versions) {
          for (const sender of sendersOf(vector)) {
            const run = new Run(codec, vector, version === '5.0' ? V5 : V3_1_1, sender);
            for (const check of CHECKS) run[check]();
          }
        }
      });
    }
  });
});
