/**
 * Strings and binary data with a two-byte length (1.5.4, 1.5.6), as the packets' decoders read and encoders write them.
 */
import { copyRange } from '../wire/bytes.ts';
import { findBadUtf8 } from '../wire/utf8.ts';
import { varintByteLength, writeVarint } from '../wire/varint.ts';
import { NO_SPACE } from '../status.ts';
import type { Packet } from './packet.ts';
import { FIELD_TRUNCATED, INVALID_UTF8, PACKET_ID_ZERO } from './violations.ts';

/** Checks that a length and its bytes are all before `end`; returns the offset behind them, or VIOLATION. */
export function checkBinary(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
  if (at + 2 > end) return packet.refuse(FIELD_TRUNCATED, at);
  const behind = at + 2 + readTwoBytes(bytes, at);
  return behind > end ? packet.refuse(FIELD_TRUNCATED, at) : behind;
}

/** Checks a UTF-8 Encoded String; returns the offset behind it, or VIOLATION. */
export function checkString(bytes: Uint8Array, at: number, end: number, packet: Packet): number {
  const behind = checkBinary(bytes, at, end, packet);
  if (behind < 0) return behind;
  const bad = findBadUtf8(bytes, at + 2, behind);
  return bad < 0 ? behind : packet.refuse(INVALID_UTF8, bad); // [MQTT-1.5.4-1], [MQTT-1.5.4-2]
}

/** The two-byte integer at `at`. */
export function readTwoBytes(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 8) | bytes[at + 1];
}

/**
 * Reads the Packet Identifier, which must not be 0 [MQTT-2.2.1-3], [MQTT-2.2.1-5]; returns the offset behind it, or
 * VIOLATION.
 */
export function decodePacketId(bytes: Uint8Array, at: number, packet: Packet): number {
  if (at + 2 > packet.end) return packet.refuse(FIELD_TRUNCATED, at);
  packet.packetId = readTwoBytes(bytes, at);
  return packet.packetId === 0 ? packet.refuse(PACKET_ID_ZERO, at) : at + 2;
}

/** Writes a two-byte integer; returns the offset behind it. */
export function writeTwoBytes(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 8;
  out[at + 1] = value & 255;
  return at + 2;
}

/** Writes a length and its bytes, at most 65,535; returns the offset behind them. */
export function writeBinary(out: Uint8Array, at: number, value: Uint8Array): number {
  at = writeTwoBytes(out, at, value.length);
  copyRange(value, 0, value.length, out, at);
  return at + value.length;
}

/** Writes a Property Length and the properties; returns the offset behind them. */
export function writeSection(
  out: Uint8Array,
  at: number,
  properties: Uint8Array,
  byteLength: number,
): number {
  at = writeVarint(out, at, byteLength);
  copyRange(properties, 0, byteLength, out, at);
  return at + byteLength;
}

/** Bytes that a property section takes with its length, 0 in 3.1.1. */
export function sectionByteLength(isV5: boolean, propertiesByteLength: number): number {
  return isV5 ? varintByteLength(propertiesByteLength) + propertiesByteLength : 0;
}

/** Bytes of the whole packet with this Remaining Length. */
export function packetByteLength(remainingLength: number): number {
  return 1 + varintByteLength(remainingLength) + remainingLength;
}

/** NO_SPACE when a packet with this Remaining Length does not fit between `at` and `limit`, else 0. */
export function checkRoom(at: number, limit: number, remainingLength: number): number {
  return at + packetByteLength(remainingLength) > limit ? NO_SPACE : 0;
}
