/**
 * The reason codes (2.4), the packets each is valid in and who may send it there (3.2.2.2, 3.4.2.1 … 3.15.2.1).
 */
import { fillTable } from '../wire/table.ts';
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
 * A bit for each packet type (in SUBACK and UNSUBACK: in their payload) that a code is valid in, four digits a code: 0x00
 * to 0x1F, then 0x80 to 0xA2. Bit 0 for those that only a server may send in DISCONNECT.
 */
const VALID_CODES = fillTable(
  new Uint16Array(67),
  4,
  'caf50200020000004000000000000000' + // 0x00
    '00000000000000000000000000000000' + // 0x08
    '00300800000000000000000000000000' + // 0x10
    '80008000000000000000000000000000' + // 0x18
    '4a34400440044a340004000400044a35' + // 0x80
    '00044005000440010004400140014a01' + // 0x88
    '40340a3000c040004000400440004234' + // 0x90
    '40004034400540054005400542014005' + // 0x98
    '400142014201', // 0xA0
);

function hasBit(type: number, code: number): boolean {
  const index = code < 0x20 ? code : code - 0x60;
  return (code < 0x20 || code >= 0x80) && index < 67 && (VALID_CODES[index] & (1 << type)) !== 0;
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
    return type !== DISCONNECT || code === SUCCESS || !hasBit(0, code);
  }
  if (sender === FROM_SERVER) {
    if (type === AUTH) return code !== RE_AUTHENTICATE;
    return type !== DISCONNECT || code !== DISCONNECT_WITH_WILL;
  }
  return true;
}
