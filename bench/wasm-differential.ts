/**
 * The two codecs on the same bytes, in the same ring, with everything that happens to a ring: bytes come in pieces, packets
 * are asked for twice, what is left moves to the front, connections end in the middle, settings change. Whatever one says
 * the other must say, to the last field.
 */
import { Decoder } from '../src/packets/codec.ts';
import { inspectPacket, toHex } from '../src/packets/inspect.ts';
import { Packet } from '../src/packets/packet.ts';
import { PROPERTY_COUNT } from '../src/packets/property-table.ts';
import { decodeRequest } from '../src/packets/requests.ts';
import {
  CONNACK,
  CONNECT,
  DISCONNECT,
  FROM_ANYONE,
  FROM_CLIENT,
  FROM_SERVER,
  PINGREQ,
  PINGRESP,
  PUBLISH,
  SUBACK,
  SUBSCRIBE,
  UNSUBACK,
  V3_1_1,
  V5,
} from '../src/packets/types.ts';
import { PACKET_BYTES_MAX } from '../src/limits.ts';
import { NEED_DATA, OK, VIOLATION } from '../src/status.ts';
import { Ring } from '../src/wire/ring.ts';
import { WasmCodec } from '../targets/wasm/index.ts';
import type { WasmMemory } from '../targets/wasm/index.ts';
import { PacketMaker, Random } from './wasm-fuzz-packets.ts';

const RING_BYTES = 8192;
/** Packets of a case at most. */
const PACKETS_MAX = 8;

/** What was compared. */
export interface Tally {
  cases: number;
  /** Answers, by what they were. */
  packets: number;
  violations: number;
  incomplete: number;
  /** Packets that came out of the table. */
  described: number;
}

function sameProperties(a: Packet, b: Packet): boolean {
  if (a.present !== b.present) return false;
  if (a.propertiesOffset !== b.propertiesOffset || a.propertiesEnd !== b.propertiesEnd) return false;
  for (let row = 0; row < PROPERTY_COUNT; row++) {
    if (a.has(row) && a.values[row] !== b.values[row]) return false;
  }
  return true;
}

function samePublish(a: Packet, b: Packet): boolean {
  return (
    a.dup === b.dup &&
    a.qos === b.qos &&
    a.retain === b.retain &&
    a.packetId === b.packetId &&
    a.topicOffset === b.topicOffset &&
    a.topicByteLength === b.topicByteLength &&
    a.payloadOffset === b.payloadOffset &&
    a.payloadByteLength === b.payloadByteLength
  );
}

/** Whether two records say the same of a packet that was decoded with `status`. */
export function samePacket(status: number, a: Packet, b: Packet): boolean {
  if (a.type !== b.type || a.offset !== b.offset) return false;
  if (status === VIOLATION) return a.violation === b.violation && a.violationOffset === b.violationOffset;
  if (a.end !== b.end || !sameProperties(a, b)) return false;
  const { type } = a;
  if (type === PUBLISH) return samePublish(a, b);
  if (type === PINGREQ || type === PINGRESP) return true;
  if (type !== CONNECT && a.reasonCode !== b.reasonCode) return false;
  if (type >= SUBSCRIBE && type <= UNSUBACK) {
    if (a.listOffset !== b.listOffset || a.listEnd !== b.listEnd || a.listCount !== b.listCount) return false;
  }
  // What CONNECT has else only the decoder in TypeScript reads, for either.
  if (type === CONNACK) return a.sessionPresent === b.sessionPresent;
  return type === CONNECT || type >= DISCONNECT || a.packetId === b.packetId;
}

const isDescribed = (type: number): boolean =>
  type === PUBLISH || (type >= 4 && type <= 7) || type === SUBACK || type === UNSUBACK || type === PINGRESP;

/** Both codecs, the ring they read, and what they read it as. */
export class Differential {
  readonly tally: Tally = { cases: 0, packets: 0, violations: 0, incomplete: 0, described: 0 };
  private readonly seed: number;
  private readonly random: Random;
  private readonly maker: PacketMaker;
  private readonly ring: Ring;
  private readonly decoder = new Decoder(V5, FROM_SERVER, decodeRequest);
  /** Two that share a memory: each takes the table from the other. */
  private readonly codecs: WasmCodec[];
  private readonly expected = new Packet();
  private readonly packet = new Packet();
  private readonly corpus: readonly Uint8Array[];

  /** `corpus`: packets to begin with, besides those that are made. */
  constructor(memory: WasmMemory, seed: number, corpus: readonly Uint8Array[] = []) {
    this.seed = seed;
    this.random = new Random(seed);
    this.maker = new PacketMaker(this.random);
    this.ring = new Ring(memory.allocate(RING_BYTES)!);
    this.codecs = [0, 1].map(() => {
      const codec = new WasmCodec(memory, V5, FROM_SERVER, decodeRequest);
      codec.scanBytesMin = 1;
      return codec;
    });
    this.corpus = corpus;
  }

  /** Runs `count` cases; throws at the first difference, with all that is needed to see it again. */
  run(count: number): Tally {
    for (let i = 0; i < count; i++) this.runCase();
    return this.tally;
  }

  private runCase(): void {
    const { random, maker, ring } = this;
    this.tally.cases++;
    this.changeSettings();
    maker.end = 0;
    for (let count = 1 + random.below(PACKETS_MAX); count > 0; count--) this.addPacket();
    if (random.below(6) === 0) maker.mutate();
    // A connection that ended leaves nothing behind, or the one before goes on.
    if (random.below(16) > 0) ring.clear();
    const codec = this.codecs[random.below(8) === 0 ? 1 : 0];
    let at = 0;
    while (at < maker.end) {
      const piece = random.below(3) === 0 ? 1 + random.below(maker.end - at) : maker.end - at;
      if (!ring.reserve(piece)) ring.clear();
      ring.bytes.set(maker.bytes.subarray(at, at + piece), ring.end);
      ring.end += piece;
      at += piece;
      if (this.read(codec)) return;
    }
  }

  private addPacket(): void {
    const { random, maker, corpus } = this;
    if (corpus.length > 0 && random.below(3) === 0) {
      const bytes = random.pick(corpus);
      if (maker.end + bytes.length > maker.bytes.length - 512) return;
      maker.bytes.set(bytes, maker.end);
      maker.end += bytes.length;
      return;
    }
    maker.add(this.decoder.protocolVersion);
  }

  private changeSettings(): void {
    const { random, decoder } = this;
    if (random.below(16) > 0) return;
    decoder.protocolVersion = random.pick([V5, V5, V3_1_1]);
    decoder.sender = random.pick([FROM_SERVER, FROM_SERVER, FROM_CLIENT, FROM_ANYONE]);
    decoder.maximumPacketSize = random.below(10) > 0 ? PACKET_BYTES_MAX : 64 + random.below(64);
    decoder.windowByteLength = random.pick([PACKET_BYTES_MAX, RING_BYTES, 64]);
    for (const codec of this.codecs) {
      codec.protocolVersion = decoder.protocolVersion;
      codec.sender = decoder.sender;
      codec.maximumPacketSize = decoder.maximumPacketSize;
      codec.windowByteLength = decoder.windowByteLength;
    }
  }

  /** Reads what is in the ring. Returns whether the connection is over. */
  private read(codec: WasmCodec): boolean {
    const { random, ring, packet, expected, tally } = this;
    while (ring.start < ring.end) {
      const status = this.decoder.decode(ring.bytes, ring.start, ring.end, expected);
      const other = codec.decode(ring.bytes, ring.start, ring.end, packet);
      if (status !== other || (status !== NEED_DATA && !samePacket(status, expected, packet))) {
        this.fail(status, other);
      }
      if (status === NEED_DATA) {
        tally.incomplete++;
        return false;
      }
      if (status === VIOLATION) tally.violations++;
      if (status !== OK) {
        if (random.below(2) === 0) {
          ring.clear();
          return true;
        }
        // No session goes on behind that; here it is a way to every offset.
        ring.consume(1 + random.below(ring.byteLength()));
        continue;
      }
      tally.packets++;
      if (isDescribed(packet.type)) tally.described++;
      // Not taken now: asked for again, perhaps once more has come.
      const turn = random.below(64);
      if (turn === 0) continue;
      if (turn === 1) return false;
      ring.consume(packet.end - packet.offset);
      if (turn === 2) return false;
    }
    return false;
  }

  private fail(status: number, other: number): never {
    const { ring, expected, packet, decoder, tally } = this;
    const describe = (one: number, record: Packet): string =>
      one === OK
        ? JSON.stringify([record, inspectPacket(record, ring.bytes, decoder.protocolVersion)])
        : `status ${one}, violation ${record.violation} at ${record.violationOffset}`;
    throw new Error(
      `case ${tally.cases} of seed ${this.seed}: ${toHex(ring.bytes, ring.start, ring.end)} at ${ring.start}, ` +
        `version ${decoder.protocolVersion}, sender ${decoder.sender}, at most ${decoder.maximumPacketSize}, window ` +
        `${decoder.windowByteLength}\nTypeScript: ${describe(status, expected)}\nWASM:       ${describe(other, packet)}`,
    );
  }
}
