/**
 * The WASM codec against the one in TypeScript: chunks as a socket delivers them, read packet by packet with every check,
 * field by field; and publishing in batches against encoding one by one. What both do is the same to the last field
 * (test/targets/wasm compares them), so what is compared here is time alone.
 */
import { encodeAck } from '../src/packets/acks.ts';
import { Decoder } from '../src/packets/codec.ts';
import { Packet } from '../src/packets/packet.ts';
import {
  P_CONTENT_TYPE,
  P_CORRELATION_DATA,
  P_MESSAGE_EXPIRY_INTERVAL,
  P_TOPIC_ALIAS,
} from '../src/packets/property-table.ts';
import { encodePublish, publishFlags } from '../src/packets/publish.ts';
import { FROM_SERVER, PUBACK, PUBLISH, V5 } from '../src/packets/types.ts';
import { OK } from '../src/status.ts';
import { Ring } from '../src/wire/ring.ts';
import { PublishBatch, WasmCodec, createWasmMemory } from '../targets/wasm/index.ts';
import type { WasmMemory } from '../targets/wasm/index.ts';
import { CASES, VARIATIONS } from './codec-cases.ts';
import { measure, spread, type Measured, type Work } from './measure.ts';

const CHUNK_BYTES = 65_536;
const BATCH_MESSAGES = 256;
const PACKET_BYTES_MAX = 512;
const NONE = new Uint8Array(0);
const PAYLOAD_BYTES = 64;
const TOPIC = new TextEncoder().encode('fleet/0001/weather');
/** "fleet" and a city, in letters of three bytes. */
const WIDE_TOPIC = new TextEncoder().encode('fleet/東京都千代田区/気温');
const payload = Uint8Array.from({ length: PAYLOAD_BYTES }, (_, index) => index);

/** Writes packet `index` at the ring's end; returns the offset behind it. */
type Write = (ring: Ring, index: number) => number;

function writeTopic(topic: Uint8Array): Write {
  return ({ bytes, end }, index) => {
    const flags = publishFlags(1, 0, 0);
    const id = 1000 + index;
    // prettier-ignore
    return encodePublish(bytes, end, bytes.length, flags, V5, topic, topic.length, id, 0, NONE, 0, payload, PAYLOAD_BYTES);
  };
}

function writePuback({ bytes, end }: Ring, index: number): number {
  return encodeAck(bytes, end, bytes.length, PUBACK, V5, 1000 + index, 0, NONE, 0);
}

const caseOf = (name: string): Write => CASES.find((one) => one.name === name)!.encode;

/** What is decoded: `packets` of one kind, or as many as a chunk holds. */
interface Chunk {
  readonly name: string;
  readonly title: string;
  readonly write: Write;
  readonly packets?: number;
}

const CHUNKS: readonly Chunk[] = [
  { name: 'decodeVsTs', title: '64 KiB of PUBLISH, QoS 0, alias, 64 bytes', write: caseOf('publish') },
  {
    name: 'decodeQos1VsTs',
    title: '64 KiB of PUBLISH, QoS 1, 18-byte topic, 64 bytes',
    write: writeTopic(TOPIC),
  },
  {
    name: 'decodeWideVsTs',
    title: '64 KiB of PUBLISH, QoS 1, topic beyond ASCII',
    write: writeTopic(WIDE_TOPIC),
  },
  {
    name: 'decodePropertiesVsTs',
    title: '64 KiB of PUBLISH, QoS 1, five properties',
    write: caseOf('publishProperties'),
  },
  { name: 'decodeAcksVsTs', title: '64 KiB of PUBACK', write: writePuback },
];

const SMALL: readonly Chunk[] = [1, 2, 3, 4, 8, 16].flatMap((packets) => [
  {
    name: `decode${packets}VsTs`,
    title: `${packets} x PUBLISH with alias`,
    write: caseOf('publish'),
    packets,
  },
  {
    name: `decodeQos1Of${packets}VsTs`,
    title: `${packets} x PUBLISH, QoS 1, 18-byte topic`,
    write: writeTopic(TOPIC),
    packets,
  },
]);

function fill(bytes: Uint8Array, { write, packets }: Chunk): Ring {
  const ring = new Ring(bytes);
  for (let index = 0; index !== packets && ring.reserve(PACKET_BYTES_MAX); index++) {
    ring.end = write(ring, index & (VARIATIONS - 1));
  }
  return ring;
}

/** Reads what a session and an application read of any packet. */
function readFields(packet: Packet): number {
  let sum = packet.type + packet.packetId + packet.qos + packet.end;
  if (packet.type === PUBACK) return sum + packet.reasonCode;
  sum += packet.topicOffset + packet.topicByteLength + packet.payloadOffset + packet.payloadByteLength;
  sum += packet.retain + packet.dup;
  const present = packet.present;
  if ((present & (1 << P_TOPIC_ALIAS)) !== 0) sum += packet.values[P_TOPIC_ALIAS];
  if ((present & (1 << P_MESSAGE_EXPIRY_INTERVAL)) !== 0) sum += packet.values[P_MESSAGE_EXPIRY_INTERVAL];
  if ((present & (1 << P_CONTENT_TYPE)) !== 0) sum += packet.values[P_CONTENT_TYPE];
  if ((present & (1 << P_CORRELATION_DATA)) !== 0) sum += packet.values[P_CORRELATION_DATA];
  return sum;
}

// Two loops, word for word the same: one for both would have the engine look up each time whose `decode` it calls.

function decodeInTypeScript(chunk: Chunk): Work {
  const { bytes, end } = fill(new Uint8Array(CHUNK_BYTES), chunk);
  const codec = new Decoder(V5, FROM_SERVER, null);
  const packet = new Packet();
  return (count) => {
    let sum = 0;
    let at = 0;
    for (let i = 0; i < count; i++) {
      if (codec.decode(bytes, at, end, packet) !== OK) throw new Error(`violation ${packet.violation}`);
      sum = (sum + readFields(packet)) | 0;
      at = packet.end < end ? packet.end : 0;
    }
    return sum;
  };
}

function decodeInWasm(chunk: Chunk, memory: WasmMemory): Work {
  const { bytes, end } = fill(memory.allocate(CHUNK_BYTES)!, chunk);
  const codec = new WasmCodec(memory, V5, FROM_SERVER, null);
  const packet = new Packet();
  return (count) => {
    let sum = 0;
    let at = 0;
    for (let i = 0; i < count; i++) {
      if (codec.decode(bytes, at, end, packet) !== OK) throw new Error(`violation ${packet.violation}`);
      sum = (sum + readFields(packet)) | 0;
      at = packet.end < end ? packet.end : 0;
    }
    return sum;
  };
}

/**
 * The same chunk without a record in between: what is read is read from the rows of table-rows.ts. No consumer works like
 * this; it shows what the record costs, which both codecs fill.
 */
function readTable(chunk: Chunk, memory: WasmMemory): Work {
  const { bytes, end } = fill(memory.allocate(CHUNK_BYTES)!, chunk);
  const { rows } = memory;
  const settings = (1 << 16) | (1 << PUBLISH);
  const codes = memory.codesAt(V5, FROM_SERVER);
  const tableAt = rows.byteOffset;
  let row = 0;
  let filled = 0;
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      // The last row is of no packet.
      if (row >= filled) {
        const rowsEnd = memory.exports.scan(
          bytes.byteOffset,
          0,
          end,
          settings,
          CHUNK_BYTES,
          codes,
          tableAt,
          tableAt + rows.byteLength,
        );
        filled = ((rowsEnd - tableAt) >> 2) - 4;
        row = 0;
      }
      const head = rows[row];
      const at = rows[row | 1];
      const fields = rows[row | 2];
      const payloadOffset = rows[row | 3];
      const packetEnd = rows[(row + 4) | 1];
      sum = (sum + at + packetEnd + (head & 15) + (head >>> 16) + fields + payloadOffset) | 0;
      row += 4;
    }
    return sum;
  };
}

function encodeOneByOne(topic: Uint8Array, alias: number): Work {
  const ring = new Ring(new Uint8Array(CHUNK_BYTES));
  const flags = publishFlags(0, 0, 0);
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      if (!ring.reserve(PACKET_BYTES_MAX)) ring.clear();
      const { bytes, end } = ring;
      const number = alias === 0 ? 0 : alias + (i & 15);
      // prettier-ignore
      ring.end = encodePublish(bytes, end, bytes.length, flags, V5, topic, topic.length, 0, number, NONE, 0, payload, PAYLOAD_BYTES);
      sum = (sum + ring.bytes[ring.end - 1]) | 0;
    }
    return sum;
  };
}

/** Descriptors are written anew for every message; topic and payload are in the memory already. */
function encodeBatch(topic: Uint8Array, alias: number, memory: WasmMemory): Work {
  const countMax = BATCH_MESSAGES;
  const ring = new Ring(memory.allocate(CHUNK_BYTES)!);
  const batch = PublishBatch.create(memory, V5, countMax)!;
  const lent = memory.allocate(PAYLOAD_BYTES)!;
  lent.set(payload);
  const name = memory.allocate(topic.length)!;
  name.set(topic);
  const topicAt = name.byteOffset;
  const payloadAt = lent.byteOffset;
  return (count) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const number = alias === 0 ? 0 : alias + (i & 15);
      batch.add(0, 0, number, topicAt, topic.length, 0, 0, payloadAt, PAYLOAD_BYTES);
      if (batch.count < countMax && i + 1 < count) continue;
      ring.clear();
      if (batch.encode(ring) === 0 || batch.count > 0) throw new Error('no room');
      sum = (sum + ring.end + ring.bytes[ring.end - 1]) | 0;
    }
    return sum;
  };
}

/**
 * Of the rounds in order of speed the one at four fifths: what is measured takes no system calls and has no collections,
 * so whatever makes a round slower is something else that runs on the machine.
 */
function undisturbed({ perSecond }: Measured): number {
  const sorted = [...perSecond].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * 0.8)];
}

function compare(title: string, typeScript: Work, wasm: Work): number {
  const [ours, other] = measure([
    { name: 'wasm', work: wasm },
    { name: 'TypeScript', work: typeScript },
  ]);
  const ns = (measured: Measured): string => (1e9 / undisturbed(measured)).toFixed(1).padStart(9);
  const ratio = undisturbed(ours) / undisturbed(other);
  const spreads = [ours, other].map((one) => `${(spread(one.perSecond) * 100).toFixed(0)}%`).join(' / ');
  console.log(
    `  ${title.padEnd(52)}${ns(ours)}${ns(other)}${`${ratio.toFixed(2)}x`.padStart(9)}${spreads.padStart(12)}`,
  );
  return ratio;
}

/**
 * Measures what `isWanted` by name, and prints a table: the names are those of the results, `decode`, `smallChunks`,
 * `table`, `encode` and `wasm` those of groups.
 */
export function runWasm(isWanted: (name: string) => boolean): Record<string, number> {
  const results: Record<string, number> = {};
  const memory = createWasmMemory({ arenaBytes: 16 * 1_048_576 });
  if (memory === undefined) {
    console.log('\nno WebAssembly with SIMD here, or dist was built without `npm run build:wasm`');
    return results;
  }
  console.log(
    '\nWASM codec against TypeScript, in rounds that nothing else disturbs; spread is that of the middle half of the rounds,\nWASM / TypeScript\n' +
      `  ${'ns a packet'.padEnd(52)}${'WASM'.padStart(9)}${'TS'.padStart(9)}${'ratio'.padStart(9)}${'spread'.padStart(12)}`,
  );
  for (const [group, chunks] of [['decode', CHUNKS] as const, ['smallChunks', SMALL] as const]) {
    for (const chunk of chunks) {
      if (!isWanted(chunk.name) && !isWanted(group)) continue;
      results[chunk.name] = compare(chunk.title, decodeInTypeScript(chunk), decodeInWasm(chunk, memory));
    }
  }
  for (const [name, title, chunk] of [
    ['tableVsTs', 'the table alone: QoS 0, alias, 64 bytes', CHUNKS[0]],
    ['tableQos1VsTs', 'the table alone: QoS 1, 18-byte topic, 64 bytes', CHUNKS[1]],
  ] as const) {
    if (!isWanted(name) && !isWanted('table')) continue;
    results[name] = compare(title, decodeInTypeScript(chunk), readTable(chunk, memory));
  }
  for (const [name, title, topic, alias] of [
    ['encodeVsTs', 'batch of PUBLISH, QoS 0, alias, 64 bytes', NONE, 5],
    ['encodeTopicVsTs', 'batch of PUBLISH, QoS 0, 18-byte topic, 64 bytes', TOPIC, 0],
  ] as const) {
    if (!isWanted(name) && !isWanted('encode')) continue;
    results[name] = compare(title, encodeOneByOne(topic, alias), encodeBatch(topic, alias, memory));
  }
  return results;
}
