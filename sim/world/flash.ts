/**
 * A NOR flash chip: sectors that are erased as a whole, bits that programming can only clear, and power that may go in the
 * middle of either. Counts what wears it out and how long it keeps its device waiting. Knows nothing of what is written.
 */
import type { Power } from './power.ts';

export const SECTOR_BYTES = 4096;

/** Thrown by writing while `isFailing`. */
export class FlashFailure extends Error {
  constructor() {
    super('the flash does not take it');
    this.name = 'FlashFailure';
  }
}

export interface SimFlashOptions {
  /** 6 is the NVS partition of Moddable's boards. */
  sectorCount?: number | undefined;
  /** What is on it, whole sectors; taken over, not copied. All erased by default. */
  content?: Uint8Array | undefined;
  /** Microseconds for erasing a sector: 45,000 by default; worn or cold chips take ten times as long. */
  eraseMicroseconds?: number | undefined;
  /** Microseconds for programming, each time, and for each byte: 100 and 3 by default. */
  programMicroseconds?: number | undefined;
  byteMicroseconds?: number | undefined;
}

export class SimFlash {
  readonly power: Power;
  /** What is on it; for looking only. */
  readonly content: Uint8Array;
  /** How often each sector was erased. */
  readonly erasures: Uint32Array;
  /** How often was programmed, and how many bytes. */
  programs = 0;
  programmedBytes = 0;
  /** Writing throws while this is true, and changes nothing. */
  isFailing = false;
  /** How long the device has waited for it, in all. Integers; may be set back to 0. */
  busyMicroseconds = 0;
  private readonly eraseMicroseconds: number;
  private readonly programMicroseconds: number;
  private readonly byteMicroseconds: number;

  constructor(power: Power, options: SimFlashOptions = {}) {
    this.power = power;
    const byteLength = (options.sectorCount ?? 6) * SECTOR_BYTES;
    this.content = options.content ?? new Uint8Array(byteLength).fill(0xff);
    this.erasures = new Uint32Array(this.content.length / SECTOR_BYTES);
    this.eraseMicroseconds = options.eraseMicroseconds ?? 45_000;
    this.programMicroseconds = options.programMicroseconds ?? 100;
    this.byteMicroseconds = options.byteMicroseconds ?? 3;
  }

  get sectorCount(): number {
    return this.erasures.length;
  }

  /** Erasures of all sectors. */
  get erasureCount(): number {
    return this.erasures.reduce((sum, count) => sum + count, 0);
  }

  /** A copy of `byteLength` bytes from `at` on. */
  read(at: number, byteLength: number): Uint8Array {
    this.power.check();
    return this.content.slice(at, at + byteLength);
  }

  /** Clears every bit from `at` on that is clear in `bytes`. */
  program(at: number, bytes: Uint8Array): void {
    this.power.check();
    if (this.isFailing) throw new FlashFailure();
    this.programs++;
    this.busyMicroseconds += this.programMicroseconds + bytes.length * this.byteMicroseconds;
    const count = this.power.begin(bytes.length);
    const whole = count < 0 ? -1 - count : count;
    this.programmedBytes += whole;
    for (let i = 0; i < whole; i++) this.content[at + i] &= bytes[i];
    if (count >= 0) return;
    this.content[at + whole] &= bytes[whole] | this.power.dice.below(256);
    this.power.lose();
  }

  /**
   * Sets every bit of a sector. The chip first clears all of it, as NOR flash does so that all cells age alike, then sets
   * it: what is cut has zeros up to a point, or ones. Counts as 8192 bytes of the power's.
   */
  erase(sector: number): void {
    this.power.check();
    if (this.isFailing) throw new FlashFailure();
    this.erasures[sector]++;
    this.busyMicroseconds += this.eraseMicroseconds;
    const start = sector * SECTOR_BYTES;
    const count = this.power.begin(2 * SECTOR_BYTES);
    const done = count < 0 ? -1 - count : count;
    this.content.fill(0, start, start + Math.min(done, SECTOR_BYTES));
    this.content.fill(0xff, start, start + Math.max(0, done - SECTOR_BYTES));
    if (count >= 0) return;
    const { dice } = this.power;
    if (done < SECTOR_BYTES) this.content[start + done] &= dice.below(256);
    else this.content[start + done - SECTOR_BYTES] |= dice.below(256);
    this.power.lose();
  }
}
