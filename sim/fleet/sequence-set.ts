/**
 * Which sequence numbers of each device have been seen: exact, and small. Numbers that come in order cost four bytes a
 * device; only those still missing cost more (eight bytes a run of neighbours). Knows nothing of messages or time.
 */

/** What {@link SequenceSet.mark} found. Plain numbers, as it is called once per message. */
export const SEEN_IN_ORDER = 0;
/** First time, but a later number was seen before it. */
export const SEEN_LATE = 1;
export const SEEN_BEFORE = 2;

/** Sorted, disjoint runs of integers [start, end), of which single ones can be taken out. */
class RunList {
  private runs = new Uint32Array(8);
  private used = 0;

  get isEmpty(): boolean {
    return this.used === 0;
  }

  /** How many integers the runs hold. */
  get count(): number {
    let count = 0;
    for (let index = 0; index < this.used; index += 2) count += this.runs[index + 1] - this.runs[index];
    return count;
  }

  /** Adds a run behind all others. */
  append(start: number, end: number): void {
    this.makeRoom(2);
    this.runs[this.used] = start;
    this.runs[this.used + 1] = end;
    this.used += 2;
  }

  has(value: number): boolean {
    const index = this.findRun(value);
    return index < this.used && this.runs[index] <= value;
  }

  /** Takes `value` out; false if it was not in. */
  remove(value: number): boolean {
    const index = this.findRun(value);
    if (index >= this.used || this.runs[index] > value) return false;
    const start = this.runs[index];
    const end = this.runs[index + 1];
    if (end - start === 1) {
      this.runs.copyWithin(index, index + 2, this.used);
      this.used -= 2;
    } else if (value === start) {
      this.runs[index] = start + 1;
    } else if (value === end - 1) {
      this.runs[index + 1] = end - 1;
    } else {
      this.makeRoom(2);
      this.runs.copyWithin(index + 2, index, this.used);
      this.runs[index + 1] = value;
      this.runs[index + 2] = value + 1;
      this.used += 2;
    }
    return true;
  }

  forEach(visit: (start: number, end: number) => void): void {
    for (let index = 0; index < this.used; index += 2) visit(this.runs[index], this.runs[index + 1]);
  }

  /** The offset of the first run that ends after `value`, or `used`. */
  private findRun(value: number): number {
    let low = 0;
    let high = this.used >> 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.runs[middle * 2 + 1] > value) high = middle;
      else low = middle + 1;
    }
    return low * 2;
  }

  private makeRoom(count: number): void {
    if (this.used + count <= this.runs.length) return;
    const larger = new Uint32Array(this.runs.length * 2);
    larger.set(this.runs);
    this.runs = larger;
  }
}

/** One growing set of sequence numbers (0 … 2^32 - 2) for each of a fixed number of devices. */
export class SequenceSet {
  /** Per device: one above the highest number seen. */
  private readonly next: Uint32Array;
  /** Per device: the numbers below `next` that were not seen. Made when the first is skipped, dropped with the last. */
  private readonly holes: (RunList | undefined)[];

  constructor(devices: number) {
    this.next = new Uint32Array(devices);
    this.holes = new Array<RunList | undefined>(devices).fill(undefined);
  }

  /** Adds `sequence`; returns {@link SEEN_IN_ORDER}, {@link SEEN_LATE} or {@link SEEN_BEFORE}. */
  mark(device: number, sequence: number): number {
    const next = this.next[device];
    if (sequence === next) {
      this.next[device] = next + 1;
      return SEEN_IN_ORDER;
    }
    if (sequence > next) {
      (this.holes[device] ??= new RunList()).append(next, sequence);
      this.next[device] = sequence + 1;
      return SEEN_IN_ORDER;
    }
    const holes = this.holes[device];
    if (holes?.remove(sequence) !== true) return SEEN_BEFORE;
    if (holes.isEmpty) this.holes[device] = undefined;
    return SEEN_LATE;
  }

  has(device: number, sequence: number): boolean {
    return sequence < this.next[device] && this.holes[device]?.has(sequence) !== true;
  }

  /** How many numbers were skipped: below the highest seen, but not seen. */
  skippedCount(device: number): number {
    return this.holes[device]?.count ?? 0;
  }

  /** Visits each run [start, end) of numbers below `limit` that were not seen; `limit` is at least the highest seen + 1. */
  forEachMissing(device: number, limit: number, visit: (start: number, end: number) => void): void {
    this.holes[device]?.forEach(visit);
    if (this.next[device] < limit) visit(this.next[device], limit);
  }
}
