/**
 * UTF-8 as the standard wants it (1.5.4), and Topic Names (4.7): sixteen bytes at a time while nothing but plain ASCII is
 * there, sequence by sequence where there is more. Says yes or no; where the first wrong byte is, TypeScript finds out.
 */

const HASH: u32 = 0x23;
const PLUS: u32 = 0x2b;
/** All of sixteen. */
const ALL: i32 = 0xffff;

/** The bits that both wildcards have alike: they differ in one. */
const WILDCARD_MASK: i8 = ~(HASH ^ PLUS) as i8;

/** Bit by bit, which of the sixteen bytes at `at` want no closer look: plain ASCII, in a Topic Name but wildcards. */
// @ts-ignore: decorator
@inline
function plainBytes(at: u32, isName: bool): i32 {
  const bytes = v128.load(at);
  // Signed: what is above 0x7f is below zero.
  let plain = i8x16.gt_s(bytes, i8x16.splat(0));
  if (isName) {
    const masked = v128.and(bytes, i8x16.splat(WILDCARD_MASK));
    plain = v128.andnot(plain, i8x16.eq(masked, i8x16.splat(HASH as i8)));
  }
  return i8x16.bitmask(plain);
}

/** Length (2 to 4) of the well-formed sequence at `at`, whose first byte is `lead`, 0x80 or above; 0 if it is none. */
function sequenceByteLength(lead: u32, at: u32, end: u32): u32 {
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const byteLength: u32 = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + byteLength > end) return 0;
  const second: u32 = load<u8>(at, 1);
  if (second < (lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80)) return 0; // overlong
  // A surrogate [MQTT-1.5.4-1], or beyond U+10FFFF.
  if (second > (lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf)) return 0;
  if (byteLength > 2 && (load<u8>(at, 2) & 0xc0) != 0x80) return 0;
  if (byteLength > 3 && (load<u8>(at, 3) & 0xc0) != 0x80) return 0;
  return byteLength;
}

function isWellFormedFrom(at: u32, end: u32, isName: bool): bool {
  while (at < end) {
    const byte: u32 = load<u8>(at);
    if (byte >= 0x80) {
      const byteLength = sequenceByteLength(byte, at, end);
      if (byteLength == 0) return false;
      at += byteLength;
    } else if (at + 16 <= end && plainBytes(at, isName) == ALL) {
      at += 16;
    } else {
      if (byte == 0 || (isName && (byte == HASH || byte == PLUS))) return false;
      at++;
    }
  }
  return true;
}

/** Reads up to fifteen bytes behind `end`, which are in memory but do not count. */
// @ts-ignore: decorator
@inline
function isWellFormed(at: u32, end: u32, isName: bool): bool {
  while (at + 16 <= end) {
    if (plainBytes(at, isName) != ALL) return isWellFormedFrom(at, end, isName);
    at += 16;
  }
  if (at == end) return true;
  // In a part of sixteen bytes only the lower bits are those of the text.
  if ((~plainBytes(at, isName) & ((1 << (end - at)) - 1)) == 0) return true;
  return isWellFormedFrom(at, end, isName);
}

/** Whether the bytes from `at` up to `end` are a UTF-8 Encoded String [MQTT-1.5.4-1], [MQTT-1.5.4-2]. */
export function isText(at: u32, end: u32): bool {
  return isWellFormed(at, end, false);
}

/** Whether they are one without wildcard characters [MQTT-3.3.2-2]. */
export function isName(at: u32, end: u32): bool {
  return isWellFormed(at, end, true);
}
