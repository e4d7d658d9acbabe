/**
 * A fixed-size byte queue whose content and free room are each one contiguous piece: what is written goes to `end`,
 * what is read comes from `start`, and when the room behind `end` is too short the content moves to the front with
 * one native copy. Serves as the receive window and as the transmit ring. Knows nothing of packets.
 */
import { moveDown } from './bytes.ts';

export class Ring {
  /** The storage, owned by whoever made the ring. `bytes[start]` up to `bytes[end]` is the content. */
  bytes: Uint8Array;
  start: number;
  end: number;

  /** @param bytes Storage: not copied, used from now on by the ring alone. Its length is the ring's capacity. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.start = 0;
    this.end = 0;
  }

  /** Bytes waiting to be read. */
  byteLength(): number {
    return this.end - this.start;
  }

  /** Bytes that can still be written, `reserve` permitting in one piece. */
  freeByteLength(): number {
    return this.bytes.length - this.end + this.start;
  }

  /** Makes room for `count` bytes at `end`, moving the content if it must. False: there is not that much room. */
  reserve(count: number): boolean {
    if (this.bytes.length - this.end >= count) return true;
    if (this.freeByteLength() < count) return false;
    moveDown(this.bytes, 0, this.start, this.end);
    this.end -= this.start;
    this.start = 0;
    return true;
  }

  /** Says that `count` bytes were read from `start`. */
  consume(count: number): void {
    this.start += count;
    if (this.start >= this.end) {
      this.start = 0;
      this.end = 0;
    }
  }

  /** Forgets the content. */
  clear(): void {
    this.start = 0;
    this.end = 0;
  }

  /** Goes on with other storage, the content copied over. The new storage must have room for it. */
  replace(bytes: Uint8Array): void {
    const content = this.bytes.subarray(this.start, this.end);
    bytes.set(content, 0);
    this.bytes = bytes;
    this.end = content.length;
    this.start = 0;
  }
}
