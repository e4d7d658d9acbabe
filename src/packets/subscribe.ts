/**
 * SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK (3.8 to 3.11): lists of Topic Filters and lists of reason codes.
 */
import { NO_SPACE, OK } from '../status.ts';
import { copyBytes } from '../wire/bytes.ts';
import { writeVarint } from '../wire/varint.ts';
import { findFilterError, isShared } from '../topic.ts';
import {
  checkRoom,
  checkString,
  decodePacketId,
  sectionByteLength,
  writeSection,
  writeTwoBytes,
} from './fields.ts';
import type { Packet } from './packet.ts';
import { decodePropertySection } from './properties.ts';
import { P_USER_PROPERTY } from './property-table.ts';
import { isReasonCodeValid } from './reason-codes.ts';
import { SUBACK, SUBSCRIBE, SUBSCRIBE_NO_LOCAL, UNSUBSCRIBE, V5 } from './types.ts';
import {
  EMPTY_LIST,
  FIELD_TRUNCATED,
  INVALID_QOS,
  INVALID_REASON_CODE,
  INVALID_SUBSCRIPTION_OPTIONS,
  INVALID_TOPIC_FILTER,
  NO_LOCAL_ON_SHARED,
  RESERVED_FLAGS,
  TRAILING_BYTES,
} from './violations.ts';

/** Reads the Packet Identifier and the properties that all four begin with; returns the offset of the list. */
function decodeHead(bytes: Uint8Array, at: number, protocolVersion: number, packet: Packet): number {
  const end = packet.end;
  at = decodePacketId(bytes, at, packet);
  if (at < 0) return at;
  if (protocolVersion === V5) {
    at = decodePropertySection(bytes, at, end, 1 << packet.type, 1 << P_USER_PROPERTY, packet);
  }
  packet.listOffset = at;
  packet.listEnd = end;
  packet.listCount = 0;
  return at;
}

/** Decodes what is behind the fixed header of a SUBSCRIBE or an UNSUBSCRIBE. */
export function decodeFilters(
  bytes: Uint8Array,
  at: number,
  protocolVersion: number,
  packet: Packet,
): number {
  const end = packet.end;
  const isV5 = protocolVersion === V5;
  at = decodeHead(bytes, at, protocolVersion, packet);
  if (at < 0) return at;
  if (at === end) return packet.refuse(EMPTY_LIST, packet.offset); // [MQTT-3.8.3-2], [MQTT-3.10.3-2]
  while (at < end) {
    const behind = checkString(bytes, at, end, packet); // [MQTT-3.8.3-1], [MQTT-3.10.3-1]
    if (behind < 0) return behind;
    const error = findFilterError(bytes, at + 2, behind, isV5);
    if (error >= 0) {
      // An empty filter has no byte to point at but its length [MQTT-4.7.3-1].
      return packet.refuse(INVALID_TOPIC_FILTER, behind === at + 2 ? at : error);
    }
    if (packet.type === SUBSCRIBE) {
      if (behind >= end) return packet.refuse(FIELD_TRUNCATED, behind);
      const options = bytes[behind];
      if ((options & (isV5 ? 0xc0 : 0xfc)) !== 0) return packet.refuse(RESERVED_FLAGS, behind); // [MQTT-3.8.3-5]
      if ((options & 3) === 3 || (options & 0x30) === 0x30) {
        // A Protocol Error (3.8.3.1), but in 3.1.1 a malformed packet [v3.1.1 MQTT-3.8.3-4].
        return packet.refuse(isV5 ? INVALID_SUBSCRIPTION_OPTIONS : INVALID_QOS, behind);
      }
      if ((options & SUBSCRIBE_NO_LOCAL) !== 0 && isShared(bytes, at + 2, behind)) {
        return packet.refuse(NO_LOCAL_ON_SHARED, behind); // [MQTT-3.8.3-4]
      }
      at = behind + 1;
    } else {
      at = behind;
    }
    packet.listCount++;
  }
  return OK;
}

/** Decodes what is behind the fixed header of a SUBACK or an UNSUBACK. */
export function decodeReasonCodes(
  bytes: Uint8Array,
  at: number,
  protocolVersion: number,
  sender: number,
  packet: Packet,
): number {
  const end = packet.end;
  at = decodeHead(bytes, at, protocolVersion, packet);
  if (at < 0) return at;
  if (packet.type !== SUBACK && protocolVersion !== V5) {
    return at === end ? OK : packet.refuse(TRAILING_BYTES, at); // v3.1.1: UNSUBACK has no payload
  }
  if (at === end) return packet.refuse(EMPTY_LIST, packet.offset);
  for (; at < end; at++) {
    // [MQTT-3.9.3-2], [MQTT-3.11.3-2], [v3.1.1 MQTT-3.9.3-2]
    if (!isReasonCodeValid(packet.type, bytes[at], sender, protocolVersion)) {
      return packet.refuse(INVALID_REASON_CODE, at);
    }
    packet.listCount++;
  }
  return OK;
}

/**
 * Writes a Topic Filter at `out[at]` as lists have it, with its Subscription Options, or with none (UNSUBSCRIBE) when
 * `options` is below 0. Returns the offset behind it, or NO_SPACE.
 */
export function writeFilter(
  out: Uint8Array,
  at: number,
  limit: number,
  topicFilter: Uint8Array,
  topicFilterByteLength: number,
  options: number,
): number {
  if (at + 2 + topicFilterByteLength + (options < 0 ? 0 : 1) > limit) return NO_SPACE;
  at = writeTwoBytes(out, at, topicFilterByteLength);
  copyBytes(topicFilter, topicFilterByteLength, out, at);
  at += topicFilterByteLength;
  if (options >= 0) out[at++] = options;
  return at;
}

/**
 * Writes one of the four (`type`) at `out[at]`, not beyond `limit`. `list` is the payload: filters as writeFilter
 * makes them, or reason codes (none in a 3.1.1 UNSUBACK). Returns the offset behind the packet, or NO_SPACE.
 */
export function encodeList(
  out: Uint8Array,
  at: number,
  limit: number,
  type: number,
  protocolVersion: number,
  packetId: number,
  properties: Uint8Array,
  propertiesByteLength: number,
  list: Uint8Array,
  listByteLength: number,
): number {
  const isV5 = protocolVersion === V5;
  const length = 2 + sectionByteLength(isV5, propertiesByteLength) + listByteLength;
  const status = checkRoom(at, limit, length);
  if (status < 0) return status;
  // [MQTT-3.8.1-1], [MQTT-3.10.1-1]
  out[at++] = (type << 4) | (type === SUBSCRIBE || type === UNSUBSCRIBE ? 2 : 0);
  at = writeVarint(out, at, length);
  at = writeTwoBytes(out, at, packetId);
  if (isV5) at = writeSection(out, at, properties, propertiesByteLength);
  copyBytes(list, listByteLength, out, at);
  return at + listByteLength;
}
