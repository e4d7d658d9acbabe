/**
 * Whether bytes are UTF-8, character by character as RFC 3629 tells it. For the naive broker.
 */

/** Whether `hex` is well-formed UTF-8: nothing overlong, no surrogates, nothing above U+10FFFF. */
export function isHexUtf8(hex: string): boolean {
  const bytes: number[] = [];
  for (let at = 0; at < hex.length; at += 2) bytes.push(parseInt(hex.slice(at, at + 2), 16));
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at];
    const count =
      first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf8 ? 4 : 0;
    if (count === 0 || at + count > bytes.length) return false;
    let character = count === 1 ? first : first & (0x7f >> count);
    for (let index = 1; index < count; index++) {
      const byte = bytes[at + index];
      if (byte < 0x80 || byte >= 0xc0) return false;
      character = character * 64 + (byte & 0x3f);
    }
    const lowest = [0, 0, 0x80, 0x800, 0x10000][count];
    if (character < lowest || character > 0x10ffff) return false;
    if (character >= 0xd800 && character < 0xe000) return false;
    at += count;
  }
  return true;
}
