/**
 * Bytes in linear memory: integers as the wire has them, and copies. Knows nothing of packets.
 */

/** The two-byte integer at `at`. */
// @ts-ignore: decorator
@inline
export function readTwoBytes(at: u32): u32 {
  return ((load<u8>(at) as u32) << 8) | (load<u8>(at, 1) as u32);
}

/** The four-byte integer at `at`. */
// @ts-ignore: decorator
@inline
export function readFourBytes(at: u32): u32 {
  return bswap<u32>(load<u32>(at));
}

/** Writes a two-byte integer at `at`. */
// @ts-ignore: decorator
@inline
export function writeTwoBytes(at: u32, value: u32): void {
  store<u8>(at, value >> 8);
  store<u8>(at, value, 1);
}

/** `readVarint` found the end of the bytes, a fifth byte, or a form that is not minimal. */
export const NO_VARINT: u64 = ~0;

/**
 * Reads the Variable Byte Integer at `at`, not beyond `end` [MQTT-1.5.5-1]. Returns the value, with the number of its
 * bytes in the upper half, or NO_VARINT.
 */
export function readVarint(at: u32, end: u32): u64 {
  let value: u32 = 0;
  for (let count: u32 = 0; count < 4; count++) {
    if (at + count >= end) return NO_VARINT;
    const byte: u32 = load<u8>(at + count);
    value |= (byte & 127) << (count * 7);
    if (byte < 128) {
      if (byte == 0 && count > 0) return NO_VARINT;
      return (((count + 1) as u64) << 32) | (value as u64);
    }
  }
  return NO_VARINT;
}

/** Bytes that `value` takes as a Variable Byte Integer. */
// @ts-ignore: decorator
@inline
export function varintByteLength(value: u32): u32 {
  if (value < 128) return 1;
  if (value < 16384) return 2;
  return value < 2097152 ? 3 : 4;
}

/** Writes `value` (0 to 268,435,455) at `at` in minimal form; returns where it ends. */
// @ts-ignore: decorator
@inline
export function writeVarint(at: u32, value: u32): u32 {
  while (value > 127) {
    store<u8>(at++, (value & 127) | 128);
    value >>= 7;
  }
  store<u8>(at++, value);
  return at;
}

/** From here on the engine's own copy is faster than blocks of sixteen. */
const NATIVE_COPY_BYTES_MIN: u32 = 512;

/** Copies `byteLength` bytes from `source` to `target`, which do not overlap; writes nothing behind them. */
export function copyBytes(target: u32, source: u32, byteLength: u32): void {
  if (byteLength >= 16) {
    if (byteLength >= NATIVE_COPY_BYTES_MIN) {
      memory.copy(target, source, byteLength);
      return;
    }
    // The last block ends where the bytes do, over what the one before it may have written.
    const last = byteLength - 16;
    for (let at: u32 = 0; at < last; at += 16) v128.store(target + at, v128.load(source + at));
    v128.store(target + last, v128.load(source + last));
    return;
  }
  if (byteLength >= 8) {
    const last = byteLength - 8;
    const first = load<u64>(source);
    store<u64>(target + last, load<u64>(source + last));
    store<u64>(target, first);
    return;
  }
  if (byteLength >= 4) {
    const last = byteLength - 4;
    const first = load<u32>(source);
    store<u32>(target + last, load<u32>(source + last));
    store<u32>(target, first);
    return;
  }
  for (let at: u32 = 0; at < byteLength; at++) store<u8>(target + at, load<u8>(source + at));
}
