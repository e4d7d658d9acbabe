/**
 * Frames between a machine and its worker: four bytes of length, little-endian, of what follows; one letter; a payload.
 */

/** A text as the worker reads it: UTF-8 and a zero. */
export function text(value: string): Buffer {
  return Buffer.from(value + '\0');
}

/** Four bytes, little-endian. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A whole frame. */
export function frame(kind: string, payload: Uint8Array): Buffer {
  return Buffer.concat([u32(payload.length + 1), Buffer.from(kind, 'latin1'), payload]);
}

/** Takes chunks, gives frames. */
export class FrameReader {
  private rest: Buffer = Buffer.alloc(0);
  private readonly handle: (kind: string, payload: Buffer) => void;

  constructor(handle: (kind: string, payload: Buffer) => void) {
    this.handle = handle;
  }

  push(chunk: Buffer): void {
    let bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    while (bytes.length >= 5) {
      const end = 4 + bytes.readUInt32LE(0);
      if (bytes.length < end) break;
      const kind = String.fromCharCode(bytes[4]);
      const payload = bytes.subarray(5, end);
      bytes = bytes.subarray(end);
      this.handle(kind, payload);
    }
    this.rest = bytes;
  }
}
