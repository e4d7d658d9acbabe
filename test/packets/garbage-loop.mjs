/**
 * Run by garbage.test.ts in a process of its own, with the directory of the compiled core as first argument: counts
 * the garbage collections while packets are written into a ring and read out of it again. With "control" as second
 * argument one object a packet is made on purpose, to show that the counting would see it.
 */
import { PerformanceObserver, performance } from 'node:perf_hooks';

const [directory, mode] = process.argv.slice(2);
const load = (path) => import(new URL(path, directory));
const { encodeAck } = await load('packets/acks.js');
const { Decoder } = await load('packets/codec.js');
const { Packet } = await load('packets/packet.js');
const { PropertyWriter } = await load('packets/properties.js');
const { encodePublish, publishFlags } = await load('packets/publish.js');
const { encodeList } = await load('packets/subscribe.js');
const { FROM_ANYONE, PUBACK, PUBREC, SUBACK, V5 } = await load('packets/types.js');
const { Ring } = await load('wire/ring.js');

const WARM_UP_PACKETS = 500_000;
const MEASURED_PACKETS = 5_000_000;

const ring = new Ring(new Uint8Array(4096));
const decoder = new Decoder(V5, FROM_ANYONE);
const packet = new Packet();
const topic = new TextEncoder().encode('fleet/0001/temperature');
const payload = new Uint8Array(64).fill(7);
const properties = new PropertyWriter(new Uint8Array(128));
const none = new Uint8Array(0);
const codes = Uint8Array.of(0, 1, 2);
const kept = [];

/** Writes the packet number `i`, of one of five kinds; properties anew each time, as a session does not even. */
function write(i) {
  const { bytes, end } = ring;
  const limit = bytes.length;
  const id = (i % 65535) + 1;
  switch (i % 5) {
    case 0: {
      const flags = publishFlags(0, 0, 0);
      return encodePublish(bytes, end, limit, flags, V5, topic, 0, 0, 5, none, 0, payload, payload.length);
    }
    case 1: {
      properties.clear();
      properties.addNumber(0, 1);
      properties.addNumber(1, 4294967295);
      properties.addText(2, 'text/plain');
      properties.addBytes(4, codes);
      properties.addPair('key', 'värde');
      const flags = publishFlags(1, 0, 0);
      const count = properties.byteLength;
      const stored = properties.bytes;
      return encodePublish(
        bytes,
        end,
        limit,
        flags,
        V5,
        topic,
        topic.length,
        id,
        0,
        stored,
        count,
        payload,
        64,
      );
    }
    case 2:
      return encodeAck(bytes, end, limit, PUBACK, V5, id, 0, none, 0);
    case 3:
      return encodeAck(bytes, end, limit, PUBREC, V5, id, 0x10, none, 0);
    default:
      return encodeList(bytes, end, limit, SUBACK, V5, id, none, 0, codes, codes.length);
  }
}

/** Writes until the ring is full, then reads until it is empty; returns a sum of what was read. */
function exchange(from, to, isControl) {
  let sum = 0;
  for (let i = from; i < to;) {
    while (i < to && ring.reserve(256)) {
      const end = write(i);
      if (end < 0) throw new Error(`packet ${i} did not fit`);
      ring.end = end;
      i++;
    }
    while (ring.byteLength() > 0) {
      const status = decoder.decode(ring.bytes, ring.start, ring.end, packet);
      if (status !== 0) throw new Error(`status ${status}, violation ${packet.violation}`);
      sum = (sum + packet.type + packet.packetId + packet.payloadByteLength + packet.values[1]) | 0;
      if (isControl) kept[0] = { sum };
      ring.consume(packet.end - packet.offset);
    }
  }
  return sum;
}

const collections = [];
const observer = new PerformanceObserver((list) => collections.push(...list.getEntries()));
observer.observe({ entryTypes: ['gc'] });

const isControl = mode === 'control';
exchange(0, WARM_UP_PACKETS, isControl);
// Code that is optimised late must not count against the packets: a second warm-up after the compiler's threads.
await new Promise((resolve) => setTimeout(resolve, 50));
exchange(0, WARM_UP_PACKETS, isControl);

const startedAt = performance.now();
const sum = exchange(0, MEASURED_PACKETS, isControl);
const endedAt = performance.now();

// Entries are handed over by a later turn of the loop.
await new Promise((resolve) => setTimeout(resolve, 20));
collections.push(...observer.takeRecords());
const count = collections.filter((one) => one.startTime >= startedAt && one.startTime < endedAt).length;
console.log(JSON.stringify({ packets: MEASURED_PACKETS, count, sum }));
