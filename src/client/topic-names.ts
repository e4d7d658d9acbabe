/**
 * Topic Names as strings, remembered: a device hears the same few names again and again, and a string made once is
 * cheaper than the same string made a thousand times.
 */
import { decodeText } from '../wire/text.ts';
import { isEqualRange } from '../wire/bytes.ts';

export class TopicNames {
  private readonly bytes: (Uint8Array | undefined)[] = [];
  private readonly names: string[] = [];
  private readonly places: number;

  /** @param places Names remembered at most, a power of two. */
  constructor(places = 256) {
    this.places = places;
  }

  /** The string of the name at `bytes[at]`. */
  get(bytes: Uint8Array, at: number, byteLength: number): string {
    let hash = byteLength;
    for (let i = at; i < at + byteLength; i++) hash = (hash * 31 + bytes[i]) | 0;
    const place = (hash ^ (hash >>> 8)) & (this.places - 1);
    const known = this.bytes[place];
    if (known?.length === byteLength && isEqualRange(known, 0, bytes, at, byteLength))
      return this.names[place];
    const name = decodeText(bytes, at, at + byteLength);
    this.bytes[place] = bytes.slice(at, at + byteLength);
    this.names[place] = name;
    return name;
  }
}
