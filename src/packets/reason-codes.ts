/**
 * The reason codes (2.4), the packets each is valid in and who may send it there (3.2.2.2, 3.4.2.1 … 3.15.2.1).
 */
import { AUTH, CONNACK, DISCONNECT, FROM_CLIENT, FROM_SERVER, PUBACK, PUBREC, SUBACK, V5 } from './types.ts';

export const SUCCESS = 0x00;
export const DISCONNECT_WITH_WILL = 0x04;
export const NO_MATCHING_SUBSCRIBERS = 0x10;
export const CONTINUE_AUTHENTICATION = 0x18;
export const RE_AUTHENTICATE = 0x19;
/** Codes from here on say that something failed. */
export const UNSPECIFIED_ERROR = 0x80;
export const MALFORMED_PACKET = 0x81;
export const PROTOCOL_ERROR = 0x82;
export const UNSUPPORTED_PROTOCOL_VERSION = 0x84;
export const TOPIC_FILTER_INVALID = 0x8f;
export const TOPIC_NAME_INVALID = 0x90;
export const PACKET_IDENTIFIER_NOT_FOUND = 0x92;
export const RECEIVE_MAXIMUM_EXCEEDED = 0x93;
export const TOPIC_ALIAS_INVALID = 0x94;
export const REASON_PACKET_TOO_LARGE = 0x95;

/**
 * Three words a packet type, by type: a bit for each valid code in 0x00-0x1F, in 0x80-0x9F and in 0xA0-0xBF.
 * SUBACK's and UNSUBACK's are those in their payload.
 */
// prettier-ignore
const VALID_CODES = new Int32Array([
  0, 0, 0, // reserved
  0, 0, 0, // CONNECT
  0x1, 0xbea117ff | 0, 0, // CONNACK
  0, 0, 0, // PUBLISH
  0x10001, 0x2830089, 0, // PUBACK
  0x10001, 0x2830089, 0, // PUBREC
  0x1, 0x40000, 0, // PUBREL
  0x1, 0x40000, 0, // PUBCOMP
  0, 0, 0, // SUBSCRIBE
  0x7, 0x40828089, 0x6, // SUBACK
  0, 0, 0, // UNSUBSCRIBE
  0x20001, 0x28089, 0, // UNSUBACK
  0, 0, 0, // PINGREQ
  0, 0, 0, // PINGRESP
  0x11, 0xfff9ea8f | 0, 0x7, // DISCONNECT
  0x3000001, 0, 0, // AUTH
  0x1, 0xfc00ea80 | 0, 0x7, // DISCONNECT codes that only a server may send, 0x00 apart
]);

function hasBit(row: number, code: number): boolean {
  const word = code < 0x20 ? 0 : code < 0x80 ? -1 : code < 0xa0 ? 1 : code < 0xc0 ? 2 : -1;
  return word >= 0 && (VALID_CODES[row * 3 + word] & (1 << (code & 31))) !== 0;
}

/**
 * Whether `code` may stand in a packet of `type` sent by `sender` (bits FROM_CLIENT, FROM_SERVER) under
 * `protocolVersion`.
 */
export function isReasonCodeValid(
  type: number,
  code: number,
  sender: number,
  protocolVersion: number,
): boolean {
  if (protocolVersion !== V5) {
    if (type === CONNACK) return code <= 5;
    return type === SUBACK ? code <= 2 || code === 0x80 : code === 0;
  }
  if (!hasBit(type, code)) return false;
  if (sender === FROM_CLIENT) {
    if (type === AUTH) return code !== SUCCESS;
    if (type === PUBACK || type === PUBREC) return code !== NO_MATCHING_SUBSCRIBERS;
    return type !== DISCONNECT || code === SUCCESS || !hasBit(16, code);
  }
  if (sender === FROM_SERVER) {
    if (type === AUTH) return code !== RE_AUTHENTICATE;
    return type !== DISCONNECT || code !== DISCONNECT_WITH_WILL;
  }
  return true;
}
