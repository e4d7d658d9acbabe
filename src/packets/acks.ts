/**
 * PUBACK, PUBREC, PUBREL, PUBCOMP (3.4 to 3.7): one shape, four types.
 */
import { NO_SPACE, OK } from '../status.ts';
import { copyBytes } from '../wire/bytes.ts';
import { varintByteLength, writeVarint } from '../wire/varint.ts';
import { decodePacketId } from './fields.ts';
import type { Packet } from './packet.ts';
import { decodePropertySection } from './properties.ts';
import { P_USER_PROPERTY } from './property-table.ts';
import { isReasonCodeValid } from './reason-codes.ts';
import { PUBREL, V5 } from './types.ts';
import { INVALID_REASON_CODE, TRAILING_BYTES } from './violations.ts';

/** Decodes what is behind the fixed header of one of the four; `packet.type` and `packet.end` are set. */
export function decodeAck(
  bytes: Uint8Array,
  at: number,
  protocolVersion: number,
  sender: number,
  packet: Packet,
): number {
  const end = packet.end;
  at = decodePacketId(bytes, at, packet);
  if (at < 0) return at;
  if (at === end) return OK; // the reason code is left out: success (3.4.2.1)
  if (protocolVersion !== V5) return packet.refuse(TRAILING_BYTES, at);
  packet.reasonCode = bytes[at];
  // [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]
  if (!isReasonCodeValid(packet.type, packet.reasonCode, sender, V5)) {
    return packet.refuse(INVALID_REASON_CODE, at);
  }
  at++;
  if (at === end) return OK; // the property length is left out: none (3.4.2.2.1)
  at = decodePropertySection(bytes, at, end, 1 << packet.type, 1 << P_USER_PROPERTY, packet);
  if (at < 0) return at;
  return at === end ? OK : packet.refuse(TRAILING_BYTES, at);
}

/**
 * Writes one of the four (`type`) at `out[at]`, not beyond `limit`: in its shortest form, two bytes of body, when
 * the reason code is 0 and there are no properties. `properties` are what a PropertyWriter holds. Under 3.1.1
 * reason code and properties are not sent. Returns the offset behind the packet, or NO_SPACE.
 */
export function encodeAck(
  out: Uint8Array,
  at: number,
  limit: number,
  type: number,
  protocolVersion: number,
  packetId: number,
  reasonCode: number,
  properties: Uint8Array,
  propertiesByteLength: number,
): number {
  let length = 2;
  if (protocolVersion === V5) {
    if (propertiesByteLength !== 0)
      length = 3 + varintByteLength(propertiesByteLength) + propertiesByteLength;
    else if (reasonCode !== 0) length = 3;
  }
  if (at + 1 + varintByteLength(length) + length > limit) return NO_SPACE;
  out[at++] = (type << 4) | (type === PUBREL ? 2 : 0); // [MQTT-3.6.1-1]
  at = writeVarint(out, at, length);
  out[at++] = packetId >>> 8;
  out[at++] = packetId & 255;
  if (length > 2) out[at++] = reasonCode;
  if (length > 3) {
    at = writeVarint(out, at, propertiesByteLength);
    copyBytes(properties, propertiesByteLength, out, at);
    at += propertiesByteLength;
  }
  return at;
}
