/**
 * PUBLISH (3.3): the packet that everything else is for, hence written for speed.
 */
import { NEED_DATA, NO_SPACE, OK, PAYLOAD_STREAMS } from '../status.ts';
import { copyBytes } from '../wire/bytes.ts';
import { utf8SequenceLength } from '../wire/utf8.ts';
import { VARINT_MALFORMED, readVarint, varintByteLength, writeVarint } from '../wire/varint.ts';
import type { Packet } from './packet.ts';
import { decodeProperties, findProperty } from './properties.ts';
import { P_SUBSCRIPTION_IDENTIFIER, P_TOPIC_ALIAS, P_USER_PROPERTY } from './property-table.ts';
import { FROM_CLIENT, V5 } from './types.ts';
import {
  DUP_WITHOUT_QOS,
  FIELD_TRUNCATED,
  INVALID_QOS,
  INVALID_TOPIC_ALIAS,
  INVALID_TOPIC_NAME,
  INVALID_UTF8,
  MALFORMED_VARIABLE_BYTE_INTEGER,
  MISSING_TOPIC_NAME,
  PACKET_ID_ZERO,
  PROPERTY_FROM_WRONG_SENDER,
} from './violations.ts';

const PUBLISH_PLACE = 1 << 3;
/** A message matching several subscriptions carries several identifiers (3.3.2.3.8). */
const REPEATABLE = (1 << P_USER_PROPERTY) | (1 << P_SUBSCRIPTION_IDENTIFIER);

/** By byte: 1 for what needs no closer look in a Topic Name, which is nearly every byte of one. */
const PLAIN = new Uint8Array(256).fill(1, 1, 0x80);
PLAIN[0x23] = 0;
PLAIN[0x2b] = 0;

/**
 * Decodes what is behind the fixed header at `at`. `limit` is the end of the packet's bytes at hand, `packet.end` that
 * of the packet. Returns OK, VIOLATION, PAYLOAD_STREAMS when only payload is still missing, or NEED_DATA.
 */
export function decodePublish(
  bytes: Uint8Array,
  at: number,
  limit: number,
  first: number,
  protocolVersion: number,
  sender: number,
  packet: Packet,
): number {
  const qos = (first >> 1) & 3;
  if ((first & 14) !== 0) {
    if (qos === 3) return packet.refuse(INVALID_QOS, packet.offset); // [MQTT-3.3.1-4]
    if (qos === 0) return packet.refuse(DUP_WITHOUT_QOS, packet.offset); // [MQTT-3.3.1-2]
  }

  const topicOffset = at + 2;
  if (topicOffset > limit) return lacks(packet, topicOffset, at);
  const topicEnd = topicOffset + ((bytes[at] << 8) | bytes[at + 1]);
  if (topicEnd > limit) return lacks(packet, topicEnd, at);
  for (at = topicOffset; at < topicEnd;) {
    // Eight at a time: an interpreter's loop costs more than what is in it.
    while (
      at + 7 < topicEnd &&
      (PLAIN[bytes[at]] &
        PLAIN[bytes[at + 1]] &
        PLAIN[bytes[at + 2]] &
        PLAIN[bytes[at + 3]] &
        PLAIN[bytes[at + 4]] &
        PLAIN[bytes[at + 5]] &
        PLAIN[bytes[at + 6]] &
        PLAIN[bytes[at + 7]]) !==
        0
    ) {
      at += 8;
    }
    while (at < topicEnd && PLAIN[bytes[at]] !== 0) at++;
    if (at < topicEnd) {
      const byte = bytes[at];
      if (byte === 0x23 || byte === 0x2b) return packet.refuse(INVALID_TOPIC_NAME, at); // [MQTT-3.3.2-2]
      const length = utf8SequenceLength(bytes, at, topicEnd);
      if (length === 0) return packet.refuse(INVALID_UTF8, at); // [MQTT-3.3.2-1], [MQTT-1.5.4-2]
      at += length;
    }
  }

  let packetId = 0;
  if (qos !== 0) {
    if (at + 2 > limit) return lacks(packet, at + 2, at);
    packetId = (bytes[at] << 8) | bytes[at + 1];
    if (packetId === 0) return packet.refuse(PACKET_ID_ZERO, at); // [MQTT-2.2.1-3]
    at += 2;
  }

  let propertiesOffset = at;
  packet.present = 0;
  if (protocolVersion === V5) {
    let length = at < limit ? bytes[at] : 128;
    propertiesOffset = at + 1;
    if (length > 127) {
      length = readVarint(bytes, at, limit);
      if (length === VARINT_MALFORMED) return packet.refuse(MALFORMED_VARIABLE_BYTE_INTEGER, at);
      if (length < 0) return lacks(packet, limit + 1, at);
      propertiesOffset = at + varintByteLength(length);
    }
    if (propertiesOffset + length > limit) return lacks(packet, propertiesOffset + length, at);
    at = propertiesOffset + length;
    if (length === 0) {
      // Nothing to look at.
    } else if (length === 3 && bytes[propertiesOffset] === 0x23) {
      // Nothing but a Topic Alias: what a fleet sends most. As decodeProperties would find it, in two thirds of the time.
      const alias = (bytes[propertiesOffset + 1] << 8) | bytes[propertiesOffset + 2];
      if (alias === 0) return packet.refuse(INVALID_TOPIC_ALIAS, propertiesOffset + 1); // [MQTT-3.3.2-8]
      packet.present = 1 << P_TOPIC_ALIAS;
      packet.values[P_TOPIC_ALIAS] = alias;
    } else {
      const status = decodeProperties(bytes, propertiesOffset, at, PUBLISH_PLACE, REPEATABLE, packet);
      if (status < 0) return status;
      if (sender === FROM_CLIENT && packet.has(P_SUBSCRIPTION_IDENTIFIER)) {
        const offset = findProperty(bytes, propertiesOffset, P_SUBSCRIPTION_IDENTIFIER);
        return packet.refuse(PROPERTY_FROM_WRONG_SENDER, offset); // [MQTT-3.3.4-6]
      }
    }
  }
  // An empty name is an alias's [MQTT-3.3.2-8], [MQTT-4.7.3-1].
  if (topicEnd === topicOffset && (packet.present & (1 << P_TOPIC_ALIAS)) === 0) {
    return packet.refuse(MISSING_TOPIC_NAME, topicOffset - 2);
  }

  packet.dup = (first >> 3) & 1;
  packet.qos = qos;
  packet.retain = first & 1;
  packet.packetId = packetId;
  packet.topicOffset = topicOffset;
  packet.topicByteLength = topicEnd - topicOffset;
  packet.propertiesOffset = propertiesOffset;
  packet.propertiesEnd = at;
  packet.payloadOffset = at;
  packet.payloadByteLength = packet.end - at;
  return packet.end > limit ? PAYLOAD_STREAMS : OK;
}

/** Fewer bytes than `needed` are at hand: the rest is still to come, or the packet ends before a field that begins at `at` does. */
function lacks(packet: Packet, needed: number, at: number): number {
  return needed > packet.end ? packet.refuse(FIELD_TRUNCATED, at) : NEED_DATA;
}

/** The `flags` that encodePublishHead takes, for a QoS (0 to 2), RETAIN and DUP (0 or 1). */
export function publishFlags(qos: number, retain: number, dup: number): number {
  return (dup << 3) | (qos << 1) | retain;
}

/**
 * Bytes of a PUBLISH without its fixed header. `topicByteLength` 0 with an alias; `packetId` 0 at QoS 0; `alias` 0
 * for none; `propertiesByteLength` without the alias.
 */
export function publishRemainingLength(
  protocolVersion: number,
  topicByteLength: number,
  packetId: number,
  alias: number,
  propertiesByteLength: number,
  payloadByteLength: number,
): number {
  let length = 2 + topicByteLength + payloadByteLength;
  if (packetId !== 0) length += 2;
  if (protocolVersion === V5) {
    const properties = propertiesByteLength + (alias === 0 ? 0 : 3);
    length += properties + varintByteLength(properties);
  }
  return length;
}

/**
 * Writes a PUBLISH up to where its payload begins. The caller has made sure of the room: the head takes
 * `remainingLength` (of publishRemainingLength) + 5 - payload bytes at most. Returns the offset behind the head.
 */
export function encodePublishHead(
  out: Uint8Array,
  at: number,
  flags: number,
  remainingLength: number,
  protocolVersion: number,
  topic: Uint8Array,
  topicOffset: number,
  topicByteLength: number,
  packetId: number,
  alias: number,
  properties: Uint8Array,
  propertiesOffset: number,
  propertiesByteLength: number,
): number {
  out[at++] = 0x30 | flags;
  at = writeVarint(out, at, remainingLength);
  out[at++] = topicByteLength >>> 8;
  out[at++] = topicByteLength & 255;
  for (let i = 0; i < topicByteLength; i++) out[at++] = topic[topicOffset + i];
  if (packetId !== 0) {
    out[at++] = packetId >>> 8;
    out[at++] = packetId & 255;
  }
  if (protocolVersion === V5) {
    at = writeVarint(out, at, propertiesByteLength + (alias === 0 ? 0 : 3));
    if (alias !== 0) {
      out[at++] = 0x23;
      out[at++] = alias >>> 8;
      out[at++] = alias & 255;
    }
    for (let i = 0; i < propertiesByteLength; i++) out[at++] = properties[propertiesOffset + i];
  }
  return at;
}

/** What writeAliasedHead writes, and the most bytes of payload that fit behind it. */
export const ALIASED_HEAD_BYTES = 8;
export const ALIASED_PAYLOAD_BYTES_MAX = 121;

/**
 * Writes the beginning of the shortest PUBLISH of 5.0: QoS 0, not retained, an alias in place of the Topic Name, no other
 * properties. The second byte, the Remaining Length, is that of an empty payload.
 */
export function writeAliasedHead(out: Uint8Array, alias: number): void {
  out[0] = 0x30;
  out[1] = 6;
  out[4] = 3;
  out[5] = 0x23;
  out[6] = alias >>> 8;
  out[7] = alias & 255;
}

/**
 * Writes a whole PUBLISH at `out[at]`, not beyond `limit`. `flags` come from publishFlags, `packetId` is 0 at QoS 0,
 * `alias` 0 for none; `properties` are what a PropertyWriter holds, without a Topic Alias. Topic, properties and
 * payload are copied. Returns the offset behind the packet, or NO_SPACE with nothing written that counts.
 */
export function encodePublish(
  out: Uint8Array,
  at: number,
  limit: number,
  flags: number,
  protocolVersion: number,
  topic: Uint8Array,
  topicByteLength: number,
  packetId: number,
  alias: number,
  properties: Uint8Array,
  propertiesByteLength: number,
  payload: Uint8Array,
  payloadByteLength: number,
): number {
  const remainingLength = publishRemainingLength(
    protocolVersion,
    topicByteLength,
    packetId,
    alias,
    propertiesByteLength,
    payloadByteLength,
  );
  if (at + 1 + varintByteLength(remainingLength) + remainingLength > limit) return NO_SPACE;
  at = encodePublishHead(
    out,
    at,
    flags,
    remainingLength,
    protocolVersion,
    topic,
    0,
    topicByteLength,
    packetId,
    alias,
    properties,
    0,
    propertiesByteLength,
  );
  copyBytes(payload, payloadByteLength, out, at);
  return at + payloadByteLength;
}
