/**
 * Bytes that no client should send: packets of all kinds, changed a little somewhere, cut, joined, or in an order that
 * makes no sense. Seeded, so that a run can be repeated. Knows of packets where their length is.
 */
import fc from 'fast-check';
import { encodeObject } from '../../src/packets/inspect.ts';
import { writeVarint } from '../../src/wire/varint.ts';
import { packets } from '../packets/arbitraries.ts';
import type { Random } from '../seed.ts';
import { readVectors } from '../support/vectors.ts';

/** Longer packets take their time and find nothing that shorter ones do not. */
const BYTES_MAX = 400;
/** Bytes at which something begins or ends: lengths, flags, wildcards, edges of UTF-8. */
const EDGES = [
  ...[0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x10, 0x7f, 0x80, 0xff, 0xfe, 0x23, 0x2b, 0x2f, 0x24],
  ...[0xc0, 0xc2, 0xe0, 0xed, 0xf0, 0xf4, 0x20, 0x30, 0x32, 0x36, 0x3b, 0x62, 0x82, 0xa2, 0xd0],
];

export type Version = 4 | 5;

const FROM_SERVERS_ALONE = new Set([2, 9, 11, 13]);
const CONNECT = 1;
const DISCONNECT = 14;

/** An endless supply. */
export class HostileBytes {
  private readonly random: Random;
  /** By version: what a client may send when it is connected. */
  private readonly requests: Record<Version, Uint8Array[]>;
  private readonly connects: Record<Version, Uint8Array[]>;
  /** What the standard forbids, as it stands in the hand-written vectors, among what it allows. */
  private readonly vectors: Uint8Array[];

  constructor(random: Random, seed: number) {
    this.random = random;
    this.vectors = readVectors()
      .filter(({ direction, bytes }) => direction !== 'server to client' && bytes.length <= BYTES_MAX)
      .map(({ bytes }) => bytes);
    const sample = (protocolVersion: Version): Uint8Array[] =>
      fc
        .sample(packets(protocolVersion), { seed, numRuns: 1500 })
        .map((object) => encodeObject(object, { protocolVersion }))
        .filter((bytes) => bytes.length <= BYTES_MAX && !FROM_SERVERS_ALONE.has(bytes[0] >> 4));
    const [old, current] = [sample(4), sample(5)];
    const isConnect = (bytes: Uint8Array): boolean => bytes[0] >> 4 === CONNECT;
    this.connects = { 4: old.filter(isConnect), 5: current.filter(isConnect) };
    // Of those that end a connection in order there are few: they would end most.
    const isRequest = (bytes: Uint8Array, index: number): boolean =>
      !isConnect(bytes) && (bytes[0] >> 4 !== DISCONNECT || index % 10 === 0);
    this.requests = { 4: old.filter(isRequest), 5: current.filter(isRequest) };
  }

  /** A packet as the standard allows it, though perhaps not now. */
  request(version: Version): Uint8Array {
    return this.random.pick(this.requests[version]);
  }

  /** A CONNECT as the standard allows it, though not every server will let it in. */
  connect(version: Version): Uint8Array {
    return this.random.pick(this.connects[version]);
  }

  /** Bytes made of one packet or two; hardly ever one that is allowed. */
  mutated(version: Version): Uint8Array {
    const { random } = this;
    if (random.below(20) === 0) return Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    const source =
      random.below(3) === 0
        ? random.pick(this.vectors)
        : random.below(10) === 0
          ? this.connect(version)
          : this.request(version);
    const bytes = Array.from(source);
    for (let count = 1 + random.below(3); count > 0; count--) this.mutate(bytes, version);
    const array = Uint8Array.from(bytes.slice(0, BYTES_MAX));
    // With a length that agrees more gets past the fixed header.
    return random.below(3) === 0 ? array : repaired(array);
  }

  /** Only its Remaining Length is wrong: longer than anything, or not the packet's. */
  withWrongLength(version: Version, bytes = this.request(version)): Uint8Array {
    const body = bodyOf(bytes);
    const length = this.random.pick([
      body.length + 1,
      Math.max(0, body.length - 1),
      200 * 1024 * 1024,
      268_435_455,
      this.random.below(1000),
    ]);
    return withLength(bytes[0], length, body);
  }

  /** Only the lower half of its first byte is wrong, or perhaps not. */
  withOtherFlags(bytes: Uint8Array): Uint8Array {
    const other = bytes.slice();
    other[0] = (bytes[0] & 0xf0) | this.random.below(16);
    return other;
  }

  private mutate(bytes: number[], version: Version): void {
    const { random } = this;
    const at = random.below(bytes.length + 1);
    switch (random.below(8)) {
      case 0:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 1:
      case 2:
        bytes[at] = random.pick(EDGES);
        break;
      case 3:
        bytes.splice(at, 0, random.pick(EDGES));
        break;
      case 4:
        bytes.splice(at, 1 + random.below(4));
        break;
      case 5:
        bytes.splice(at, 0, ...bytes.slice(at, at + 1 + random.below(12)));
        break;
      case 6: {
        const other = this.request(version);
        const from = random.below(other.length);
        bytes.splice(at, random.below(8), ...other.subarray(from, from + random.below(24)));
        break;
      }
      default:
        bytes.length = at;
    }
  }
}

function bodyOf(bytes: Uint8Array): Uint8Array {
  let at = 1;
  while (at < 5 && bytes[at] > 127) at++;
  return bytes.subarray(at + 1);
}

function withLength(first: number, length: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(5 + body.length);
  bytes[0] = first;
  const at = writeVarint(bytes, 1, length);
  bytes.set(body, at);
  return bytes.subarray(0, at + body.length);
}

function repaired(bytes: Uint8Array): Uint8Array {
  const body = bodyOf(bytes);
  return withLength(bytes[0] ?? 0x30, body.length, body);
}
