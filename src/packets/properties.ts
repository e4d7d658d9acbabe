/**
 * Properties (2.2.2): checking, walking and writing them by the table in property-table.ts.
 */
import { copyRange } from '../wire/bytes.ts';
import { findBadUtf8, utf8ByteLength, writeUtf8 } from '../wire/utf8.ts';
import {
  VARINT_MALFORMED,
  VARINT_TRUNCATED,
  readVarint,
  varintByteLength,
  writeVarint,
} from '../wire/varint.ts';
import { findWildcard } from '../topic.ts';
import { readTwoBytes, writeTwoBytes } from './fields.ts';
import type { Packet } from './packet.ts';
import {
  IN_WILL,
  PROPERTY_ROWS,
  PROPERTY_TABLE,
  P_AUTHENTICATION_DATA,
  P_AUTHENTICATION_METHOD,
  P_MAXIMUM_PACKET_SIZE,
  P_RECEIVE_MAXIMUM,
  P_RESPONSE_TOPIC,
  P_SUBSCRIPTION_IDENTIFIER,
  P_TOPIC_ALIAS,
  P_USER_PROPERTY,
  TYPE_BINARY,
  TYPE_FLAG,
  TYPE_FOUR_BYTES,
  TYPE_PAIR,
  TYPE_TWO_BYTES,
  TYPE_VARINT,
} from './property-table.ts';
import {
  AUTHENTICATION_DATA_WITHOUT_METHOD,
  DUPLICATE_PROPERTY,
  FIELD_TRUNCATED,
  INVALID_TOPIC_ALIAS,
  INVALID_UTF8,
  MALFORMED_VARIABLE_BYTE_INTEGER,
  MISPLACED_PROPERTY,
  PROPERTY_OUT_OF_RANGE,
  UNKNOWN_PROPERTY,
} from './violations.ts';

/** The least value that the standard allows (2.2.2.2 and the packets' sections); a Topic Alias is checked elsewhere. */
export function numberMin(row: number): number {
  return row === P_RECEIVE_MAXIMUM || row === P_MAXIMUM_PACKET_SIZE || row === P_SUBSCRIPTION_IDENTIFIER
    ? 1
    : 0;
}

/**
 * Checks the properties in `bytes[at]` up to `end` and notes them in `packet`. `place` is the packet's bit, or
 * IN_WILL; `repeatable` has the bits of rows that may be repeated here. Returns `end`, or VIOLATION.
 */
export function decodeProperties(
  bytes: Uint8Array,
  at: number,
  end: number,
  place: number,
  repeatable: number,
  packet: Packet,
): number {
  let present = 0;
  while (at < end) {
    const id = bytes[at];
    const row = id < 43 ? PROPERTY_ROWS[id] : 255;
    // The identifier is a Variable Byte Integer: 0x80 and above begin one that is not defined, or not minimal.
    if (row === 255) return packet.refuse(UNKNOWN_PROPERTY, at);
    if ((PROPERTY_TABLE[row * 3 + 2] & place) === 0) return packet.refuse(MISPLACED_PROPERTY, at);
    const bit = 1 << row;
    const isRepeated = (present & bit) !== 0;
    if (isRepeated && (repeatable & bit) === 0) return packet.refuse(DUPLICATE_PROPERTY, at);
    present |= bit;
    const valueAt = at + 1;
    const type = PROPERTY_TABLE[row * 3 + 1];
    let value = 0;
    if (type > TYPE_VARINT) {
      at = checkText(bytes, valueAt, end, row, packet);
      if (at < 0) return at;
      value = valueAt + 2;
    } else {
      if (type === TYPE_VARINT) {
        value = readVarint(bytes, valueAt, end);
        if (value === VARINT_TRUNCATED) return packet.refuse(FIELD_TRUNCATED, valueAt);
        if (value === VARINT_MALFORMED) return packet.refuse(MALFORMED_VARIABLE_BYTE_INTEGER, valueAt);
        at = valueAt + varintByteLength(value);
      } else {
        at = valueAt + (1 << type);
        if (at > end) return packet.refuse(FIELD_TRUNCATED, valueAt);
        value = readInteger(bytes, valueAt, at);
      }
      if (value === 0 && row === P_TOPIC_ALIAS) return packet.refuse(INVALID_TOPIC_ALIAS, valueAt); // [MQTT-3.3.2-8]
      if (value < numberMin(row) || value > numberMax(type)) {
        return packet.refuse(PROPERTY_OUT_OF_RANGE, valueAt);
      }
    }
    // A will's are there to be walked only: the tables are CONNECT's, and both may have User Properties.
    if (!isRepeated && place !== IN_WILL) packet.values[row] = value;
  }
  packet.present = present;
  if ((present & (1 << P_AUTHENTICATION_DATA)) !== 0 && (present & (1 << P_AUTHENTICATION_METHOD)) === 0) {
    return packet.refuse(AUTHENTICATION_DATA_WITHOUT_METHOD, packet.values[P_AUTHENTICATION_DATA] - 3);
  }
  return at;
}

/** Checks a string, binary datum or pair at `at`; returns the offset behind it, or VIOLATION. */
function checkText(bytes: Uint8Array, at: number, end: number, row: number, packet: Packet): number {
  const type = PROPERTY_TABLE[row * 3 + 1];
  let strings = type === TYPE_PAIR ? 2 : 1;
  while (strings > 0) {
    if (at + 2 > end) return packet.refuse(FIELD_TRUNCATED, at);
    const first = at + 2;
    const behind = first + readTwoBytes(bytes, at);
    if (behind > end) return packet.refuse(FIELD_TRUNCATED, at);
    if (type !== TYPE_BINARY) {
      const bad = findBadUtf8(bytes, first, behind);
      if (bad >= 0) return packet.refuse(INVALID_UTF8, bad);
    }
    if (row === P_RESPONSE_TOPIC) {
      if (behind === first) return packet.refuse(PROPERTY_OUT_OF_RANGE, at); // [MQTT-4.7.3-1]
      const wildcard = findWildcard(bytes, first, behind);
      if (wildcard >= 0) return packet.refuse(PROPERTY_OUT_OF_RANGE, wildcard); // [MQTT-3.3.2-14]
    }
    at = behind;
    strings--;
  }
  return at;
}

/** Reads the Property Length at `at` and checks the properties behind it; returns the offset behind, or VIOLATION. */
export function decodePropertySection(
  bytes: Uint8Array,
  at: number,
  end: number,
  place: number,
  repeatable: number,
  packet: Packet,
): number {
  const length = readVarint(bytes, at, end);
  if (length === VARINT_MALFORMED) return packet.refuse(MALFORMED_VARIABLE_BYTE_INTEGER, at);
  if (length === VARINT_TRUNCATED) return packet.refuse(FIELD_TRUNCATED, at);
  const first = at + varintByteLength(length);
  if (first + length > end) return packet.refuse(FIELD_TRUNCATED, at);
  packet.propertiesOffset = first;
  packet.propertiesEnd = first + length;
  return decodeProperties(bytes, first, first + length, place, repeatable, packet);
}

/** Offset of the identifier of the first property of `row`, which must be there, in decoded properties at `at`. */
export function findProperty(bytes: Uint8Array, at: number, row: number): number {
  while (PROPERTY_ROWS[bytes[at]] !== row) at = skipProperty(bytes, at);
  return at;
}

/** The integer in `bytes[at]` up to `end`, most significant byte first. */
function readInteger(bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  while (at < end) {
    value = value * 256 + bytes[at];
    at++;
  }
  return value;
}

/** Offset of the property behind the one at `at` of decoded properties. */
export function skipProperty(bytes: Uint8Array, at: number): number {
  const type = PROPERTY_TABLE[PROPERTY_ROWS[bytes[at]] * 3 + 1];
  at++;
  if (type < TYPE_VARINT) return at + (1 << type);
  if (type === TYPE_VARINT) return at + varintByteLength(readVarint(bytes, at, at + 4));
  if (type === TYPE_PAIR) at += 2 + readTwoBytes(bytes, at);
  return at + 2 + readTwoBytes(bytes, at);
}

/** One property, as `readProperty` finds it. */
export class Property {
  /** P_*. */
  row: number;
  /** The number, where the value is one. */
  value: number;
  /** The string, binary datum, or a pair's key. */
  offset: number;
  byteLength: number;
  /** A pair's value, behind its key. */
  valueOffset: number;
  valueByteLength: number;

  constructor() {
    this.row = 0;
    this.value = 0;
    this.offset = 0;
    this.byteLength = 0;
    this.valueOffset = 0;
    this.valueByteLength = 0;
  }
}

/** Reads the property at `at` of properties that were decoded without violation; returns the offset of the next. */
export function readProperty(bytes: Uint8Array, at: number, property: Property): number {
  const next = skipProperty(bytes, at);
  const row = PROPERTY_ROWS[bytes[at]];
  const type = PROPERTY_TABLE[row * 3 + 1];
  at++;
  property.row = row;
  if (type < TYPE_VARINT) property.value = readInteger(bytes, at, next);
  else if (type === TYPE_VARINT) property.value = readVarint(bytes, at, next);
  else {
    property.offset = at + 2;
    property.byteLength = readTwoBytes(bytes, at);
    property.valueOffset = at + 4 + property.byteLength;
    property.valueByteLength = next - property.valueOffset;
  }
  return next;
}

/**
 * Writes properties into storage of the caller's, to be handed to an encoder. What does not fit, is out of range or
 * is no valid text makes the writer overflow or refuse: every `add` returns false then and adds nothing.
 */
export class PropertyWriter {
  bytes: Uint8Array;
  /** Bytes written so far: what encoders take. */
  byteLength: number;

  /** @param bytes Storage, used by the writer and by the encoders it is handed to; not copied. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.byteLength = 0;
  }

  /** Starts anew. */
  clear(): void {
    this.byteLength = 0;
  }

  /** Adds a property whose value is a number. */
  addNumber(row: number, value: number): boolean {
    const bytes = this.bytes;
    let at = this.byteLength;
    const type = PROPERTY_TABLE[row * 3 + 1];
    if (at + 5 > bytes.length && at + 1 + numberByteLength(type, value) > bytes.length) return false;
    if (value < numberMin(row) || value > numberMax(type)) return false;
    bytes[at] = PROPERTY_TABLE[row * 3];
    at++;
    if (type === TYPE_VARINT) {
      this.byteLength = writeVarint(bytes, at, value);
      return true;
    }
    for (let shift = (8 << type) - 8; shift >= 0; shift -= 8) {
      bytes[at] = value >>> shift;
      at++;
    }
    this.byteLength = at;
    return true;
  }

  /** Adds a property whose value is a string. */
  addText(row: number, text: string): boolean {
    const at = this.byteLength;
    if (at + 3 > this.bytes.length) return false;
    const behind = this.writeText(at + 1, text);
    if (behind < 0) return false;
    this.bytes[at] = PROPERTY_TABLE[row * 3];
    this.byteLength = behind;
    return true;
  }

  /** Adds a property whose value is binary, or a string that is already UTF-8. */
  addBytes(row: number, value: Uint8Array): boolean {
    const at = this.byteLength;
    const length = value.length;
    if (length > 65535 || at + 3 + length > this.bytes.length) return false;
    this.bytes[at] = PROPERTY_TABLE[row * 3];
    writeTwoBytes(this.bytes, at + 1, length);
    copyRange(value, 0, length, this.bytes, at + 3);
    this.byteLength = at + 3 + length;
    return true;
  }

  /** Adds a User Property. */
  addPair(key: string, value: string): boolean {
    const at = this.byteLength;
    if (at + 5 > this.bytes.length) return false;
    const middle = this.writeText(at + 1, key);
    if (middle < 0) return false;
    const behind = this.writeText(middle, value);
    if (behind < 0) return false;
    this.bytes[at] = PROPERTY_TABLE[P_USER_PROPERTY * 3];
    this.byteLength = behind;
    return true;
  }

  /** Writes a UTF-8 Encoded String at `at`; returns the offset behind it, or -1. */
  writeText(at: number, text: string): number {
    const length = utf8ByteLength(text);
    if (length < 0 || length > 65535 || at + 2 + length > this.bytes.length) return -1;
    return writeUtf8(text, this.bytes, writeTwoBytes(this.bytes, at, length));
  }
}

function numberByteLength(type: number, value: number): number {
  return type === TYPE_VARINT ? varintByteLength(value) : 1 << type;
}

/** The largest value of a property whose value is a number, by type. */
export function numberMax(type: number): number {
  if (type === TYPE_FLAG) return 1;
  if (type === TYPE_TWO_BYTES) return 65535;
  return type === TYPE_FOUR_BYTES ? 4294967295 : 268435455;
}
