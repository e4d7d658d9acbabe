/**
 * Finds the number of a telemetry message (`seq`) in the bytes that firmware has sent, JSON or CBOR, without decoding
 * the rest. Relies on the order in which the runtime writes: device, seq, …
 */
import { readDigits, startsWith } from '../telemetry.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

const JSON_HEAD = ascii('{"device":"');
const JSON_SEQUENCE = ascii('","seq":');
const CBOR_DEVICE = ascii('\x66device');
const CBOR_SEQUENCE = ascii('\x63seq');
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Major types, in place. */
const UNSIGNED = 0x00;
const TEXT = 0x60;
const MAP = 0xa0;

/** The number of the message `bytes[at]` up to `end`; -1 when it is not telemetry of the runtime. */
export function readSequence(bytes: Uint8Array, at: number, end: number): number {
  if (startsWith(bytes, at, end, JSON_HEAD)) return readJson(bytes, at + JSON_HEAD.length, end);
  if (at < end && (bytes[at] & 0xe0) === MAP) return readCbor(bytes, at + 1, end);
  return -1;
}

function readJson(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  if (!startsWith(bytes, at, end, JSON_SEQUENCE)) return -1;
  const sequence = readDigits(bytes, at + JSON_SEQUENCE.length, end);
  return Number.isNaN(sequence) ? -1 : sequence;
}

function readCbor(bytes: Uint8Array, at: number, end: number): number {
  if (!startsWith(bytes, at, end, CBOR_DEVICE)) return -1;
  at += CBOR_DEVICE.length;
  const idByteLength = readHead(bytes, at, end, TEXT);
  if (idByteLength < 0) return -1;
  at += headByteLength(bytes[at]) + idByteLength;
  if (!startsWith(bytes, at, end, CBOR_SEQUENCE)) return -1;
  return readHead(bytes, at + CBOR_SEQUENCE.length, end, UNSIGNED);
}

/** Bytes of an item's head (RFC 8949, 3), by its first. */
function headByteLength(first: number): number {
  const size = first & 0x1f;
  return size < 24 ? 1 : 1 + (1 << (size - 24));
}

/** The value of a head of this major type; -1 when there is none. */
function readHead(bytes: Uint8Array, at: number, end: number, major: number): number {
  if (at >= end || (bytes[at] & 0xe0) !== major || (bytes[at] & 0x1f) > 26) return -1;
  const byteLength = headByteLength(bytes[at]);
  if (end - at < byteLength) return -1;
  if (byteLength === 1) return bytes[at] & 0x1f;
  let value = 0;
  for (let index = 1; index < byteLength; index++) value = value * 256 + bytes[at + index];
  return value;
}
