/**
 * The seed of every random test: fixed, so that a run can be repeated, and another one from the environment
 * (MOTEMQ_SEED=7 npx vitest run). Failures print it.
 * MOTEMQ_SHARE=0.01 has a hundredth of the random cases run: for engines that interpret.
 */

const SEED_DEFAULT = 20_190_307;

/** 32 bits. */
export const SEED = Number(process.env['MOTEMQ_SEED'] ?? SEED_DEFAULT) | 0;

const SHARE = Number(process.env['MOTEMQ_SHARE'] ?? 1);

/** How many of so many random cases to run. */
export function shareOf(count: number): number {
  return Math.ceil(count * SHARE);
}

/** What fc.assert takes; it prints the seed when a property fails. */
export function runs(count: number): { seed: number; numRuns: number } {
  return { seed: SEED, numRuns: shareOf(count) };
}

/** A small fast source of random numbers (mulberry32), the same on every machine. */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed | 0;
  }

  /** A whole number from 0 up to and without `below`. */
  below(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296) * below);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}
