/**
 * UTF-8 as the standard wants it (1.5.4), checked on the bytes: no surrogates [MQTT-1.5.4-1], no U+0000
 * [MQTT-1.5.4-2], nothing overlong, nothing beyond U+10FFFF; a byte order mark is text like any other
 * [MQTT-1.5.4-3]. Encoding and decoding of JavaScript strings is here for engines without TextEncoder.
 *
 * XS keeps texts as UTF-8: what it has at an index is a character, which may be above U+FFFF, and it counts from the
 * start to find it, or to tell the length.
 */

/**
 * Length (2 to 4) of the well-formed sequence of several bytes that starts at `at`, or 0 when it is not well-formed
 * or goes beyond `end`. `bytes[at]` must be 0x80 or above.
 */
export function utf8SequenceLength(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at];
  if (lead < 0xc2 || lead > 0xf4) return 0; // a continuation byte, overlong ASCII, or beyond U+10FFFF
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + length > end) return 0;
  for (let i = at + length - 1; i > at; i--) if ((bytes[i] & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1];
  if (second < (lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80)) return 0; // overlong
  // A surrogate [MQTT-1.5.4-1], or beyond U+10FFFF.
  return second > (lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf) ? 0 : length;
}

/** Offset of the first byte that breaks the rules for a UTF-8 Encoded String, or -1 when there is none. */
export function findBadUtf8(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const byte = bytes[at];
    if (byte < 0x80) {
      if (byte === 0) return at; // [MQTT-1.5.4-2]
      at++;
    } else {
      const length = utf8SequenceLength(bytes, at, end);
      if (length === 0) return at;
      at += length;
    }
  }
  return -1;
}

/** Bytes that `text` takes in UTF-8; -1 when it holds an unpaired surrogate or U+0000, which no packet may carry. */
export function utf8ByteLength(text: string): number {
  let length = 0;
  const units = text.length;
  for (let i = 0; i < units; i++) {
    const code = text.charCodeAt(i);
    if (code === 0) return -1;
    if (code < 0x80) length += 1;
    else if (code < 0x800) length += 2;
    else if (code < 0xd800 || (code > 0xdfff && code < 0x10000)) length += 3;
    else if (code > 0xffff) length += 4;
    else {
      const low = code < 0xdc00 && i + 1 < units ? text.charCodeAt(i + 1) : 0;
      if (low < 0xdc00 || low > 0xdfff) return -1;
      length += 4;
      i++;
    }
  }
  return length;
}

/** Writes `text`, of which `utf8ByteLength` is not -1, at `at`; returns the offset behind it. */
export function writeUtf8(text: string, bytes: Uint8Array, at: number): number {
  const units = text.length;
  for (let i = 0; i < units; i++) {
    let code = text.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdfff) {
      i++;
      code = 0x10000 + ((code & 0x3ff) << 10) + (text.charCodeAt(i) & 0x3ff);
    }
    if (code < 0x80) bytes[at] = code;
    else {
      if (code < 0x800) bytes[at] = 0xc0 | (code >> 6);
      else {
        if (code < 0x10000) bytes[at] = 0xe0 | (code >> 12);
        else {
          bytes[at] = 0xf0 | (code >> 18);
          at++;
          bytes[at] = 0x80 | ((code >> 12) & 63);
        }
        at++;
        bytes[at] = 0x80 | ((code >> 6) & 63);
      }
      at++;
      bytes[at] = 0x80 | (code & 63);
    }
    at++;
  }
  return at;
}

/** `text` as bytes of its own, or undefined when it cannot be a UTF-8 Encoded String [MQTT-1.5.4-1]. */
export function encodeUtf8(text: string): Uint8Array | undefined {
  const length = utf8ByteLength(text);
  if (length < 0) return undefined;
  const bytes = new Uint8Array(length);
  writeUtf8(text, bytes, 0);
  return bytes;
}

/** The string in `bytes[at]` up to `end`, which must be well-formed. Allocates: for people and applications. */
export function decodeUtf8(bytes: Uint8Array, at: number, end: number): string {
  let text = '';
  while (at < end) {
    const lead = bytes[at];
    if (lead < 0x80) {
      text += String.fromCharCode(lead);
      at++;
    } else if (lead < 0xe0) {
      text += String.fromCharCode(((lead & 31) << 6) | (bytes[at + 1] & 63));
      at += 2;
    } else if (lead < 0xf0) {
      text += String.fromCharCode(((lead & 15) << 12) | ((bytes[at + 1] & 63) << 6) | (bytes[at + 2] & 63));
      at += 3;
    } else {
      const code =
        (((lead & 7) << 18) |
          ((bytes[at + 1] & 63) << 12) |
          ((bytes[at + 2] & 63) << 6) |
          (bytes[at + 3] & 63)) -
        0x10000;
      text += String.fromCharCode(0xd800 | (code >> 10), 0xdc00 | (code & 0x3ff));
      at += 4;
    }
  }
  return text;
}
