/**
 * Everything random in a world: one generator of 32-bit integers (sfc32), and others that fork from it. Integers only, so
 * that every engine draws the same.
 */
export class SimRandom {
  private a: number;
  private b: number;
  private c: number;
  private counter: number;

  constructor(seed: number) {
    this.a = seed | 0;
    this.b = (seed ^ 0x9e3779b9) | 0;
    this.c = (Math.imul(seed, 0x85ebca6b) ^ 0x1b873593) | 0;
    this.counter = 1;
    for (let n = 0; n < 15; n++) this.next();
  }

  /** 0 to 4,294,967,295. */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = (this.c << 21) | (this.c >>> 11);
    this.c = (this.c + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to `count` - 1; 0 when there is nothing to choose from. */
  below(count: number): number {
    return count <= 1 ? 0 : this.next() % count;
  }

  /** `from` to `to`, both included. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  isChance(perMille: number): boolean {
    return this.below(1000) < perMille;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  /** A generator of its own for `label`: what others draw does not change what it draws. */
  fork(label: number): SimRandom {
    return new SimRandom((this.next() ^ Math.imul(label + 1, 0xc2b2ae35)) | 0);
  }
}
