/**
 * Text of applications, which may hold what no string of the protocol may: U+0000, and bytes that are not UTF-8. The
 * only place that chooses between an engine's native conversion and a loop. Knows nothing of packets.
 */
import { utf8ByteLength, utf8SequenceLength, writeUtf8 } from './utf8.ts';

/** What stands for bytes that are not UTF-8, and for half a surrogate pair. */
const REPLACEMENT = 0xfffd;

/** XS, which has neither TextDecoder nor TextEncoder. A loop takes it a hundred times as long. */
interface NativeString {
  fromArrayBuffer?(buffer: ArrayBufferLike, at: number, byteLength: number): string;
}
interface NativeArrayBuffer {
  fromString?(text: string): ArrayBuffer;
}

/** The text in `bytes[at]` up to `end`; what is not well-formed becomes U+FFFD. (XS lets surrogates pass.) */
export function decodeText(bytes: Uint8Array, at: number, end: number): string {
  const engine = String as NativeString;
  if (engine.fromArrayBuffer !== undefined) {
    try {
      return engine.fromArrayBuffer(bytes.buffer, bytes.byteOffset + at, end - at);
    } catch {
      // Not well-formed.
    }
  }
  let text = '';
  while (at < end) {
    let code = bytes[at];
    const length = code < 0x80 ? 1 : utf8SequenceLength(bytes, at, end);
    if (length === 0) code = REPLACEMENT;
    else if (length > 1) {
      // A lead byte of n bytes has 7 - n bits of its own.
      code &= 0x7f >> length;
      for (let i = 1; i < length; i++) code = (code << 6) | (bytes[at + i] & 63);
    }
    if (code < 0x10000) text += String.fromCharCode(code);
    else text += String.fromCharCode(0xd7c0 + (code >> 10), 0xdc00 | (code & 0x3ff));
    at += length === 0 ? 1 : length;
  }
  return text;
}

/** Whether the UTF-16 unit at `i` is half of a surrogate pair and not followed, or preceded, by the other half. */
function isUnpaired(text: string, i: number): boolean {
  const code = text.charCodeAt(i);
  if (code < 0xd800 || code > 0xdfff) return false;
  const isHigh = code < 0xdc00;
  const other = isHigh ? i + 1 : i - 1;
  if (other < 0 || other >= text.length) return true;
  const next = text.charCodeAt(other);
  return isHigh ? next < 0xdc00 || next > 0xdfff : next < 0xd800 || next > 0xdbff;
}

/** `text` in UTF-8, in an array of its own. Half a surrogate pair becomes U+FFFD; XS leaves it as it is. */
export function encodeText(text: string): Uint8Array {
  const engine = ArrayBuffer as NativeArrayBuffer;
  if (engine.fromString !== undefined) return new Uint8Array(engine.fromString(text));
  const length = utf8ByteLength(text);
  const bytes = new Uint8Array(length < 0 ? text.length * 3 : length);
  if (length >= 0) {
    writeUtf8(text, bytes, 0);
    return bytes;
  }
  let at = 0;
  for (let i = 0; i < text.length;) {
    const code = text.charCodeAt(i);
    const isSingle = isUnpaired(text, i);
    const units = !isSingle && code >= 0xd800 && code <= 0xdbff ? 2 : 1;
    at = writeUtf8(isSingle ? String.fromCharCode(REPLACEMENT) : text.substring(i, i + units), bytes, at);
    i += units;
  }
  return bytes.subarray(0, at);
}
