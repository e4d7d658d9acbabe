/**
 * PINGREQ, PINGRESP, DISCONNECT, AUTH (3.12 to 3.15).
 */
import { NO_SPACE, OK } from '../status.ts';
import { writeVarint } from '../wire/varint.ts';
import { checkRoom, sectionByteLength, writeSection } from './fields.ts';
import type { Packet } from './packet.ts';
import { decodePropertySection, findProperty } from './properties.ts';
import {
  P_AUTHENTICATION_METHOD,
  P_SERVER_REFERENCE,
  P_SESSION_EXPIRY_INTERVAL,
  P_USER_PROPERTY,
} from './property-table.ts';
import { SUCCESS, isReasonCodeValid } from './reason-codes.ts';
import { AUTH, DISCONNECT, FROM_CLIENT, FROM_SERVER, V5 } from './types.ts';
import {
  AUTHENTICATION_DATA_WITHOUT_METHOD,
  INVALID_REASON_CODE,
  PROPERTY_FROM_WRONG_SENDER,
  TRAILING_BYTES,
} from './violations.ts';

/** Decodes what is behind the fixed header of a PINGREQ or PINGRESP: nothing. */
export function decodeEmpty(at: number, packet: Packet): number {
  return at === packet.end ? OK : packet.refuse(TRAILING_BYTES, at);
}

/** Decodes what is behind the fixed header of a DISCONNECT or an AUTH. */
export function decodeReason(
  bytes: Uint8Array,
  at: number,
  protocolVersion: number,
  sender: number,
  packet: Packet,
): number {
  const end = packet.end;
  if (at === end) {
    // (3.14.2.1), (3.15.2.1); an AUTH that says success is the server's [MQTT-3.15.2-1].
    if (isReasonCodeValid(packet.type, SUCCESS, sender, V5)) return OK;
    return packet.refuse(INVALID_REASON_CODE, packet.offset);
  }
  if (protocolVersion !== V5) return packet.refuse(TRAILING_BYTES, at);
  packet.reasonCode = bytes[at];
  // [MQTT-3.14.2-1], [MQTT-3.15.2-1]
  if (!isReasonCodeValid(packet.type, packet.reasonCode, sender, V5)) {
    return packet.refuse(INVALID_REASON_CODE, at);
  }
  at++;
  // Only a DISCONNECT may leave out no more than the Property Length (3.14.2.2.1).
  if (at < end || packet.type === AUTH) {
    at = decodePropertySection(bytes, at, end, 1 << packet.type, 1 << P_USER_PROPERTY, packet);
    if (at < 0) return at;
    if (at !== end) return packet.refuse(TRAILING_BYTES, at);
  }
  if (packet.type === AUTH) {
    // It is an error to omit the method (3.15.2.2.2), but for the success that may be left out altogether.
    const isBare = packet.reasonCode === SUCCESS && packet.present === 0;
    return packet.has(P_AUTHENTICATION_METHOD) || isBare
      ? OK
      : packet.refuse(AUTHENTICATION_DATA_WITHOUT_METHOD, packet.offset);
  }
  // [MQTT-3.14.2-2]; and a Server Reference is the server's to give (3.14.2.2.5).
  let wrong = -1;
  if (sender === FROM_SERVER) wrong = P_SESSION_EXPIRY_INTERVAL;
  if (sender === FROM_CLIENT) wrong = P_SERVER_REFERENCE;
  if (wrong < 0 || !packet.has(wrong)) return OK;
  return packet.refuse(PROPERTY_FROM_WRONG_SENDER, findProperty(bytes, packet.propertiesOffset, wrong));
}

/** Writes a PINGREQ or PINGRESP (`type`) at `out[at]`. Returns the offset behind it, or NO_SPACE. */
export function encodePing(out: Uint8Array, at: number, limit: number, type: number): number {
  if (at + 2 > limit) return NO_SPACE;
  out[at++] = type << 4;
  out[at++] = 0;
  return at;
}

/**
 * Writes a DISCONNECT or an AUTH (`type`) at `out[at]`, not beyond `limit`, in its shortest form; 3.1.1's DISCONNECT
 * has neither reason code nor properties. Returns the offset behind it, or NO_SPACE.
 */
export function encodeReason(
  out: Uint8Array,
  at: number,
  limit: number,
  type: number,
  protocolVersion: number,
  reasonCode: number,
  properties: Uint8Array,
  propertiesByteLength: number,
): number {
  let length = 0;
  if (protocolVersion === V5) {
    if (propertiesByteLength !== 0) length = 1 + sectionByteLength(true, propertiesByteLength);
    else if (reasonCode !== SUCCESS) length = type === DISCONNECT ? 1 : 2;
  }
  const status = checkRoom(at, limit, length);
  if (status < 0) return status;
  out[at++] = type << 4;
  at = writeVarint(out, at, length);
  if (length > 0) out[at++] = reasonCode;
  return length > 1 ? writeSection(out, at, properties, propertiesByteLength) : at;
}
