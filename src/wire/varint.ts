/**
 * The Variable Byte Integer (1.5.5): one to four bytes, seven bits each, least significant first.
 */

/** Bytes that `value` (0 to 268,435,455) takes in its minimal form [MQTT-1.5.5-1]. */
export function varintByteLength(value: number): number {
  if (value < 128) return 1;
  if (value < 16384) return 2;
  return value < 2097152 ? 3 : 4;
}

/** Writes `value` (0 to 268,435,455) at `at` in minimal form [MQTT-1.5.5-1]; returns the offset behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value > 127) {
    bytes[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  bytes[at++] = value;
  return at;
}

/** `readVarint` found the end of the bytes before the end of the integer. */
export const VARINT_TRUNCATED = -1;
/** `readVarint` found a fifth byte, or a form that is not minimal. */
export const VARINT_MALFORMED = -2;

/** Reads the integer at `at`, not beyond `end`. Returns its value, or VARINT_TRUNCATED, or VARINT_MALFORMED. */
export function readVarint(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return VARINT_TRUNCATED;
  let byte = bytes[at];
  if (byte < 128) return byte;
  let value = byte & 127;
  for (let shift = 7; shift < 28; shift += 7) {
    at++;
    if (at >= end) return VARINT_TRUNCATED;
    byte = bytes[at];
    value |= (byte & 127) << shift;
    // A last byte of zero adds nothing: the form is not the shortest one [MQTT-1.5.5-1].
    if (byte < 128) return byte === 0 ? VARINT_MALFORMED : value;
  }
  return VARINT_MALFORMED;
}
