/**
 * Messages out of packets: what of a PUBLISH, or of the will in a CONNECT, is the message, and what belonged to the
 * connection alone (3.3.2.3, 3.1.3.2).
 */
import type { Packet } from '../../src/packets/packet.ts';
import { Property, readProperty } from '../../src/packets/properties.ts';
import {
  P_MESSAGE_EXPIRY_INTERVAL,
  P_PAYLOAD_FORMAT_INDICATOR,
  P_TOPIC_ALIAS,
  P_WILL_DELAY_INTERVAL,
} from '../../src/packets/property-table.ts';
import { CONNECT_WILL_RETAIN } from '../../src/packets/types.ts';
import { NO_BYTES } from '../../src/wire/bytes.ts';
import { Message } from './message.ts';
import type { Will } from './session.ts';

/** Said to each receiver anew, or of the publisher's connection alone. */
const OF_CONNECTION = (1 << P_MESSAGE_EXPIRY_INTERVAL) | (1 << P_TOPIC_ALIAS);

/**
 * The message of a PUBLISH, in the packet's bytes, which are lent. `topicName` and `topicBytes` are the packet's own or what
 * its alias stands for; `topicBytes` null says that the packet has them.
 */
export function readMessage(
  packet: Packet,
  bytes: Uint8Array,
  topicName: string,
  topicBytes: Uint8Array | null,
  publisherId: string,
  nowMs: number,
): Message {
  const { present } = packet;
  const expiresAtMs =
    (present & (1 << P_MESSAGE_EXPIRY_INTERVAL)) === 0
      ? Infinity
      : nowMs + packet.values[P_MESSAGE_EXPIRY_INTERVAL] * 1000;
  let propertyBytes = bytes;
  let { propertiesOffset } = packet;
  let propertiesByteLength = packet.propertiesEnd - propertiesOffset;
  if ((present & OF_CONNECTION) !== 0) {
    propertyBytes = (present & ~OF_CONNECTION) === 0 ? NO_BYTES : without(packet, bytes, OF_CONNECTION);
    propertiesOffset = 0;
    propertiesByteLength = propertyBytes.length;
  }
  const message = new Message(
    bytes,
    topicBytes === null ? packet.topicOffset : 0,
    topicBytes === null ? packet.topicByteLength : topicBytes.length,
    propertiesOffset,
    propertiesByteLength,
    packet.payloadOffset,
    packet.payloadByteLength,
    packet.qos,
    packet.retain === 1,
    expiresAtMs,
    publisherId,
    topicName,
    true,
  );
  message.propertyBytes = propertyBytes;
  if (topicBytes !== null) message.topicBytes = topicBytes;
  return message;
}

/** Whether a PUBLISH says that its payload is UTF-8 (3.3.2.3.2). */
export function isTextPayload(packet: Packet): boolean {
  return packet.has(P_PAYLOAD_FORMAT_INDICATOR) && packet.values[P_PAYLOAD_FORMAT_INDICATOR] === 1;
}

/** The will of a CONNECT that has one, kept. */
export function readWill(packet: Packet, bytes: Uint8Array, topicName: string, clientId: string): Will {
  const connect = packet.connect;
  if (connect === null) throw new TypeError('a will is read from a CONNECT');
  const property = new Property();
  let delaySeconds = 0;
  let expirySeconds = -1;
  for (let at = connect.willPropertiesOffset; at < connect.willPropertiesEnd;) {
    at = readProperty(bytes, at, property);
    if (property.row === P_WILL_DELAY_INTERVAL) delaySeconds = property.value;
    if (property.row === P_MESSAGE_EXPIRY_INTERVAL) expirySeconds = property.value;
  }
  const omitted = (1 << P_WILL_DELAY_INTERVAL) | (1 << P_MESSAGE_EXPIRY_INTERVAL);
  const properties = copyWithout(bytes, connect.willPropertiesOffset, connect.willPropertiesEnd, omitted);
  const message = new Message(
    bytes,
    packet.topicOffset,
    packet.topicByteLength,
    0,
    properties.length,
    packet.payloadOffset,
    packet.payloadByteLength,
    packet.qos,
    (connect.flags & CONNECT_WILL_RETAIN) !== 0, // [MQTT-3.1.2-14], [MQTT-3.1.2-15]
    Infinity,
    clientId,
    topicName,
    true,
  );
  message.propertyBytes = properties;
  return { message: message.keep(), delaySeconds, expirySeconds };
}

function without(packet: Packet, bytes: Uint8Array, omitted: number): Uint8Array {
  return copyWithout(bytes, packet.propertiesOffset, packet.propertiesEnd, omitted);
}

/** The properties without those of the rows in `omitted`, in their order [MQTT-3.3.2-18]. */
function copyWithout(bytes: Uint8Array, at: number, end: number, omitted: number): Uint8Array {
  const property = new Property();
  const rest = new Uint8Array(end - at);
  let restEnd = 0;
  while (at < end) {
    const next = readProperty(bytes, at, property);
    if ((omitted & (1 << property.row)) === 0) {
      rest.set(bytes.subarray(at, next), restEnd);
      restEnd += next - at;
    }
    at = next;
  }
  return rest.subarray(0, restEnd);
}
