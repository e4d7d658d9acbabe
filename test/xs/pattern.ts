/**
 * Payloads that prove themselves, the same in an XS machine and outside.
 */

/** A short proof of what bytes were: their number, and a sum that knows their order. */
export class Checksum {
  byteLength = 0;
  private a = 1;
  private b = 0;

  add(bytes: Uint8Array): void {
    for (const byte of bytes) {
      this.a = (this.a + byte) % 65521;
      this.b = (this.b + this.a) % 65521;
    }
    this.byteLength += bytes.length;
  }

  value(): number {
    return this.b * 65536 + this.a;
  }
}

/** A byte of a payload in which no two pieces are alike. */
export function patternAt(i: number): number {
  return (i * 7 + (i >> 8) * 13) & 255;
}
