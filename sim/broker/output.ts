/**
 * Bytes on their way to one connection. They are filled in while packets are handled, sealed when the broker flushes, held
 * until what they tell is safe, and lent to the link one write at a time. Storage comes from a pool: an idle connection
 * has none. Knows no packets.
 */
import { NO_BYTES } from '../../src/wire/bytes.ts';
import type { Link } from './link.ts';

const CLASS_BYTES = [1024, 4096, 16_384, 65_536, 262_144] as const;
/** Idle storage kept, in bytes of each class. */
const IDLE_BYTES_MAX = 1 << 20;

/** Storage of five sizes, used again and again. */
export class OutputPool {
  private readonly idle: Uint8Array[][] = CLASS_BYTES.map(() => []);

  /** At least `byteLength` bytes. What is larger than the largest class is made for the purpose. */
  take(byteLength: number): Uint8Array {
    for (let i = 0; i < CLASS_BYTES.length; i++) {
      if (CLASS_BYTES[i] >= byteLength) return this.idle[i].pop() ?? new Uint8Array(CLASS_BYTES[i]);
    }
    return new Uint8Array(byteLength);
  }

  give(bytes: Uint8Array): void {
    const index = CLASS_BYTES.indexOf(bytes.length as (typeof CLASS_BYTES)[number]);
    if (index >= 0 && this.idle[index].length * bytes.length < IDLE_BYTES_MAX) this.idle[index].push(bytes);
  }
}

export class Output {
  /** Where packets are written: `bytes[end]` on, after `reserve`. */
  bytes: Uint8Array;
  end: number;
  /** PUBACKs among what has not been given to the network: the peer cannot have seen them. */
  unsentAcknowledgements: number;
  private readonly pool: OutputPool;
  private readonly link: Link;
  private sealed: Uint8Array;
  private sealedEnd: number;
  private sealedAcknowledgements: number;
  private writing: Uint8Array;
  private writingEnd: number;

  constructor(pool: OutputPool, link: Link) {
    this.pool = pool;
    this.link = link;
    this.bytes = NO_BYTES;
    this.end = 0;
    this.unsentAcknowledgements = 0;
    this.sealed = NO_BYTES;
    this.sealedEnd = 0;
    this.sealedAcknowledgements = 0;
    this.writing = NO_BYTES;
    this.writingEnd = 0;
  }

  /** Makes sure that `byteLength` bytes can be written at `end`. */
  reserve(byteLength: number): void {
    const needed = this.end + byteLength;
    if (needed <= this.bytes.length) return;
    // By a part of what is there: small packets behind many would else be paid for with a copy of all of them each.
    const bytes = this.pool.take(Math.max(needed, this.end + (this.end >> 1)));
    if (this.end > 0) bytes.set(this.bytes.subarray(0, this.end), 0);
    this.pool.give(this.bytes);
    this.bytes = bytes;
  }

  /** Bytes that the network has not taken. */
  byteLength(): number {
    return this.end + this.sealedEnd + this.writingEnd;
  }

  isWriting(): boolean {
    return this.writingEnd > 0;
  }

  /** Whether sealed bytes wait for `write`. */
  isSealed(): boolean {
    return this.sealedEnd > 0;
  }

  /** Puts what was filled in aside for `write`, unless something is aside or being written. Returns whether it did. */
  seal(): boolean {
    if (this.end === 0 || this.sealedEnd > 0 || this.writingEnd > 0) return false;
    this.sealed = this.bytes;
    this.sealedEnd = this.end;
    this.sealedAcknowledgements = this.unsentAcknowledgements;
    this.bytes = NO_BYTES;
    this.end = 0;
    return true;
  }

  /** Gives what is sealed to the link. Returns how many bytes. */
  write(): number {
    const byteLength = this.sealedEnd;
    if (byteLength === 0) return 0;
    this.unsentAcknowledgements -= this.sealedAcknowledgements;
    this.writing = this.sealed;
    this.writingEnd = byteLength;
    this.sealed = NO_BYTES;
    this.sealedEnd = 0;
    this.link.write(this.writing.subarray(0, byteLength));
    return byteLength;
  }

  /** The link has done with what it was given. */
  handleWritten(): void {
    this.pool.give(this.writing);
    this.writing = NO_BYTES;
    this.writingEnd = 0;
  }

  /** The connection is gone: nothing more is written. What the link still holds is not used again. */
  drop(): void {
    this.pool.give(this.bytes);
    this.pool.give(this.sealed);
    this.bytes = NO_BYTES;
    this.sealed = NO_BYTES;
    this.writing = NO_BYTES;
    this.end = 0;
    this.sealedEnd = 0;
    this.writingEnd = 0;
    this.unsentAcknowledgements = 0;
  }
}
