/**
 * The properties (2.2.2) of the packets that are described: which are there, and where. Each function returns a bit for
 * every row of src/packets/property-table.ts that is there, or REFUSED.
 */
import { NO_VARINT, readFourBytes, readTwoBytes, readVarint } from './bytes';
import { isName, isText } from './text';

/** Not as the standard wants it. No packet has all properties. */
export const REFUSED: u32 = 0xffffffff;

/** Rows, as in src/packets/property-table.ts. */
const P_PAYLOAD_FORMAT_INDICATOR: u32 = 0;
const P_MESSAGE_EXPIRY_INTERVAL: u32 = 1;
const P_CONTENT_TYPE: u32 = 2;
const P_RESPONSE_TOPIC: u32 = 3;
const P_CORRELATION_DATA: u32 = 4;
const P_SUBSCRIPTION_IDENTIFIER: u32 = 5;
const P_REASON_STRING: u32 = 16;
const P_TOPIC_ALIAS: u32 = 19;
const P_USER_PROPERTY: u32 = 22;

/** Where a PUBLISH's values are in the table: the first six by row, then these two. */
const TOPIC_ALIAS_AT: u32 = 24;
const USER_PROPERTY_AT: u32 = 28;

/** Where the binary datum at `at` ends, or 0 when it does not before `end`. */
// @ts-ignore: decorator
@inline
function dataEnd(at: u32, end: u32): u32 {
  if (at + 2 > end) return 0;
  const behind = at + 2 + readTwoBytes(at);
  return behind > end ? 0 : behind;
}

/** Where the string at `at` ends, or 0 when it does not before `end`, or is none. */
function textEnd(at: u32, end: u32): u32 {
  const behind = dataEnd(at, end);
  return behind == 0 || !isText(at + 2, behind) ? 0 : behind;
}

function pairEnd(at: u32, end: u32): u32 {
  const middle = textEnd(at, end);
  return middle == 0 ? 0 : textEnd(middle, end);
}

/** Of a PUBLISH, from `at` up to `end`: values to `values`, offsets from `base`. */
export function scanPublishProperties(
  at: u32,
  end: u32,
  base: u32,
  isFromClient: bool,
  values: u32,
): u32 {
  let present: u32 = 0;
  while (at < end) {
    const id: u32 = load<u8>(at++);
    let row: u32 = 0;
    let value: u32 = at + 2 - base;
    switch (id) {
      case 0x01:
        row = P_PAYLOAD_FORMAT_INDICATOR;
        if (at >= end) return REFUSED;
        value = load<u8>(at++);
        if (value > 1) return REFUSED;
        break;
      case 0x02:
        row = P_MESSAGE_EXPIRY_INTERVAL;
        if (at + 4 > end) return REFUSED;
        value = readFourBytes(at);
        at += 4;
        break;
      case 0x03:
        row = P_CONTENT_TYPE;
        at = textEnd(at, end);
        break;
      case 0x08: {
        row = P_RESPONSE_TOPIC;
        const behind = dataEnd(at, end);
        // [MQTT-4.7.3-1], [MQTT-3.3.2-14]
        if (behind == 0 || behind == at + 2 || !isName(at + 2, behind)) return REFUSED;
        at = behind;
        break;
      }
      case 0x09:
        row = P_CORRELATION_DATA;
        at = dataEnd(at, end);
        break;
      case 0x0b: {
        if (isFromClient) return REFUSED; // [MQTT-3.3.4-6]
        const varint = readVarint(at, end);
        if (varint == NO_VARINT || (varint as u32) == 0) return REFUSED;
        at += (varint >> 32) as u32;
        // The first is the one that is kept; there may be several (3.3.2.3.8).
        if ((present & (1 << P_SUBSCRIPTION_IDENTIFIER)) == 0) {
          present |= 1 << P_SUBSCRIPTION_IDENTIFIER;
          store<u32>(values + (P_SUBSCRIPTION_IDENTIFIER << 2), varint as u32);
        }
        continue;
      }
      case 0x23:
        if ((present & (1 << P_TOPIC_ALIAS)) != 0 || at + 2 > end) return REFUSED;
        value = readTwoBytes(at);
        if (value == 0) return REFUSED; // [MQTT-3.3.2-8]
        at += 2;
        present |= 1 << P_TOPIC_ALIAS;
        store<u32>(values + TOPIC_ALIAS_AT, value);
        continue;
      case 0x26:
        at = pairEnd(at, end);
        if (at == 0) return REFUSED;
        if ((present & (1 << P_USER_PROPERTY)) == 0) {
          present |= 1 << P_USER_PROPERTY;
          store<u32>(values + USER_PROPERTY_AT, value);
        }
        continue;
      default:
        return REFUSED;
    }
    const bit = (1 as u32) << row;
    if (at == 0 || (present & bit) != 0) return REFUSED;
    present |= bit;
    store<u32>(values + (row << 2), value);
  }
  return present;
}

/** Of an acknowledgement: Reason String and User Property, values to `values` and the next word, offsets from `base`. */
export function scanAckProperties(at: u32, end: u32, base: u32, values: u32): u32 {
  let present: u32 = 0;
  while (at < end) {
    const id: u32 = load<u8>(at++);
    const value = at + 2 - base;
    if (id == 0x1f) {
      at = textEnd(at, end);
      if (at == 0 || (present & (1 << P_REASON_STRING)) != 0) return REFUSED;
      present |= 1 << P_REASON_STRING;
      store<u32>(values, value);
    } else {
      if (id != 0x26) return REFUSED;
      at = pairEnd(at, end);
      if (at == 0) return REFUSED;
      if ((present & (1 << P_USER_PROPERTY)) == 0) {
        present |= 1 << P_USER_PROPERTY;
        store<u32>(values, value, 4);
      }
    }
  }
  return present;
}
