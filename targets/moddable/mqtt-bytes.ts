/**
 * What applications on Moddable hold bytes and texts in, as the core wants them, copied only where they are no bytes
 * yet; and what they are told when they hand over something that cannot be.
 */
import { check } from '../../src/assert.ts';
import { decodeText } from '../../src/wire/text.ts';
import { NO_BYTES } from '../../src/wire/bytes.ts';

/** Bytes: a buffer (XS's host buffers included) or a view of one. */
export type Bytes = ArrayBufferLike | ArrayBufferView;

/** The same bytes as a Uint8Array; no bytes for null and undefined. */
export function viewOf(data: Bytes | null | undefined): Uint8Array {
  if (data instanceof Uint8Array) return data;
  if (data === null || data === undefined) return NO_BYTES;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data);
}

/** A text, given as such or as its UTF-8, which must be well-formed. */
export function textOf(text: string | Bytes): string {
  if (typeof text === 'string') return text;
  const bytes = viewOf(text);
  return decodeText(bytes, 0, bytes.length);
}

/** Throws ERR_INVALID_ARGUMENT unless `condition` holds. */
export function checkArgument(condition: boolean, message: string): void {
  check(condition, 'ERR_INVALID_ARGUMENT', message);
}
