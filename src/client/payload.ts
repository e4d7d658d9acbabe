/**
 * What an application may publish, as bytes.
 */
import { NO_BYTES } from '../wire/bytes.ts';
import { codedError } from '../assert.ts';
import { encodeText as encodeAnyText } from '../wire/text.ts';

/** A string goes as UTF-8, a number or boolean as its text, null and undefined as an empty payload. */
export type Payload =
  string | number | boolean | Uint8Array | ArrayBuffer | ArrayBufferView | null | undefined;

const textEncoder = typeof TextEncoder === 'undefined' ? undefined : new TextEncoder();

/** Throws ERR_INVALID_ARGUMENT for objects: how they become bytes is the application's to say. */
export function encodePayload(payload: Payload): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  switch (typeof payload) {
    case 'string':
      return encodeText(payload);
    case 'number':
    case 'boolean':
      return encodeText(String(payload));
    case 'undefined':
      return NO_BYTES;
    default:
  }
  if (payload === null) return NO_BYTES;
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  if (ArrayBuffer.isView(payload))
    return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  throw codedError(
    'ERR_INVALID_ARGUMENT',
    'payload must be a string, number, boolean, bytes, null or undefined; use JSON.stringify for objects',
  );
}

function encodeText(text: string): Uint8Array {
  return textEncoder === undefined ? encodeAnyText(text) : textEncoder.encode(text);
}
