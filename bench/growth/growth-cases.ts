/**
 * Packets of any size, for curves: PUBLISH by its payload and by its properties, SUBSCRIBE by its filters. Each as our
 * encoders take it and as mqtt-packet does.
 */
import { Property, PropertyWriter, readProperty } from '../../src/packets/properties.ts';
import { encodePublish, publishFlags } from '../../src/packets/publish.ts';
import { encodeList } from '../../src/packets/subscribe.ts';
import { SUBSCRIBE, V5 } from '../../src/packets/types.ts';
import { FilterList } from '../../src/session/filter-list.ts';
import { VARIATIONS, type Case } from '../codec-cases.ts';

const NONE = new Uint8Array(0);
const TOPIC_NAME = 'fleet/0001/temperature';
const TOPIC = new TextEncoder().encode(TOPIC_NAME);

function makePayloads(byteLength: number): Uint8Array[] {
  return Array.from({ length: VARIATIONS }, (_, index) => new Uint8Array(byteLength).fill(index));
}

/** PUBLISH, QoS 0, with a topic and a payload of so many bytes. */
export function publishOfPayload(byteLength: number): Case {
  const payloads = makePayloads(byteLength);
  return {
    name: `payload${byteLength}`,
    title: `${byteLength} bytes of payload`,
    encode({ bytes, end }, index) {
      const flags = publishFlags(0, 0, 0);
      const payload = payloads[index];
      // prettier-ignore
      return encodePublish(bytes, end, bytes.length, flags, V5, TOPIC, TOPIC.length, 0, 0, NONE, 0, payload, byteLength);
    },
    read: (packet, bytes) => packet.topicByteLength + packet.payloadByteLength + bytes[packet.payloadOffset],
    theirs: (index) => ({
      cmd: 'publish',
      topic: TOPIC_NAME,
      qos: 0,
      dup: false,
      retain: false,
      payload: Buffer.from(payloads[index]),
    }),
    readTheirs(packet) {
      if (packet.cmd !== 'publish') throw new Error(packet.cmd);
      return packet.topic.length + packet.payload.length + (packet.payload as Buffer)[0];
    },
  };
}

const PAYLOAD_BYTES = 64;

/** PUBLISH, QoS 0, 64 bytes, with so many user properties, made anew for each packet. */
export function publishOfProperties(count: number): Case {
  const payloads = makePayloads(PAYLOAD_BYTES);
  const pairs = Array.from({ length: count }, (_, index) => [`name-${index}`, `value-${index}`]);
  const userProperties = Object.fromEntries(pairs) as Record<string, string>;
  const writer = new PropertyWriter(new Uint8Array(1024));
  const property = new Property();
  return {
    name: `properties${count}`,
    title: `${count} user properties`,
    encode({ bytes, end }, index) {
      writer.clear();
      for (let at = 0; at < pairs.length; at++) writer.addPair(pairs[at][0], pairs[at][1]);
      const flags = publishFlags(0, 0, 0);
      const { bytes: written, byteLength } = writer;
      const payload = payloads[index];
      // prettier-ignore
      return encodePublish(bytes, end, bytes.length, flags, V5, TOPIC, TOPIC.length, 0, 0, written, byteLength, payload, PAYLOAD_BYTES);
    },
    read(packet, bytes) {
      let sum = packet.topicByteLength + packet.payloadByteLength;
      for (let at = packet.propertiesOffset; at < packet.propertiesEnd;) {
        at = readProperty(bytes, at, property);
        sum += property.byteLength + property.valueByteLength;
      }
      return sum;
    },
    theirs: (index) => ({
      cmd: 'publish',
      topic: TOPIC_NAME,
      qos: 0,
      dup: false,
      retain: false,
      payload: Buffer.from(payloads[index]),
      ...(count > 0 && { properties: { userProperties } }),
    }),
    readTheirs(packet) {
      if (packet.cmd !== 'publish') throw new Error(packet.cmd);
      let sum = packet.topic.length + packet.payload.length;
      for (const [name, value] of Object.entries(packet.properties?.userProperties ?? {})) {
        sum += name.length + value.length;
      }
      return sum;
    },
  };
}

/** SUBSCRIBE with so many filters. */
export function subscribeOfFilters(count: number): Case {
  const filters = Array.from(
    { length: count },
    (_, index) => `fleet/${String(index).padStart(4, '0')}/+/state`,
  );
  const list = new FilterList(new Uint8Array(count * 32));
  for (const filter of filters) list.add(filter, 1);
  return {
    name: `filters${count}`,
    title: `${count} filters`,
    encode({ bytes, end }, index) {
      // prettier-ignore
      return encodeList(bytes, end, bytes.length, SUBSCRIBE, V5, 1000 + index, NONE, 0, list.bytes, list.byteLength);
    },
    read: (packet) => packet.packetId + packet.listCount + packet.listOffset,
    theirs: (index) => ({
      cmd: 'subscribe',
      messageId: 1000 + index,
      subscriptions: filters.map((topic) => ({ topic, qos: 1 as const, nl: false, rap: false, rh: 0 })),
    }),
    readTheirs(packet) {
      if (packet.cmd !== 'subscribe') throw new Error(packet.cmd);
      return packet.messageId! + packet.subscriptions.length + packet.subscriptions[0].topic.length;
    },
  };
}
