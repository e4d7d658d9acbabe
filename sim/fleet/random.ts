/**
 * Seeded randomness for the fleet: xoshiro128** in 32-bit integer arithmetic, so a seed gives the same stream on
 * every engine. Responsible for numbers only; what they mean (a temperature, a delay) is the caller's. Not for secrets.
 */

/** Standard deviation of what {@link Random.nextNoise} returns: one sigma, as an integer. */
export const NOISE_SIGMA = 65536;

/** A 32-bit finaliser (the one of MurmurHash3): every input bit reaches every output bit. Returns an unsigned integer. */
export function mixU32(value: number): number {
  let mixed = value | 0;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A hash of two 32-bit integers, used for noise that must be a function of time and not of how often it is asked. */
export function hashU32(seed: number, value: number): number {
  return mixU32(mixU32(seed ^ 0x9e3779b9) + Math.imul(value, 0x9e3779b1));
}

/**
 * One stream of random integers. The same `seed` and `stream` give the same numbers; different streams of one seed are
 * independent for every practical purpose, so a device's numbers do not depend on how many devices there are or on the
 * order they run in.
 */
export class Random {
  // Signed 32-bit fields, not a Uint32Array: Node keeps int32 in the object itself, and a fleet has thousands of these.
  private state0 = 0;
  private state1 = 0;
  private state2 = 0;
  private state3 = 0;

  /**
   * @param seed any integer; its low 53 bits count
   * @param stream which of the seed's streams, an integer from 0; a device passes its index
   */
  constructor(seed: number, stream = 0) {
    if (!Number.isSafeInteger(seed)) throw new RangeError(`seed: must be a safe integer, got ${seed}`);
    if (!Number.isSafeInteger(stream)) throw new RangeError(`stream: must be a safe integer, got ${stream}`);
    // A chain of finalised words: neighbouring seeds and streams (0, 1, 2 …) must not give neighbouring states.
    let word = mixU32(seed | 0) ^ mixU32(Math.floor(seed / 0x100000000) ^ 0x5bf03635);
    word = hashU32(hashU32(word, stream | 0), Math.floor(stream / 0x100000000) | 0);
    this.setState(hashU32(word, 1), hashU32(word, 2), hashU32(word, 3), hashU32(word, 4));
  }

  /** Replaces the whole state by four 32-bit words (for reference vectors). All zero is the one state to avoid. */
  setState(word0: number, word1: number, word2: number, word3: number): void {
    if ((word0 | word1 | word2 | word3) === 0) word0 = 1; // the all-zero state produces only zeros
    this.state0 = word0 | 0;
    this.state1 = word1 | 0;
    this.state2 = word2 | 0;
    this.state3 = word3 | 0;
  }

  /** A uniform integer in 0 … 2^32 - 1. */
  nextU32(): number {
    const scaled = Math.imul(this.state1, 5);
    const result = Math.imul((scaled << 7) | (scaled >>> 25), 9) >>> 0;
    const shifted = this.state1 << 9;
    this.state2 ^= this.state0;
    this.state3 ^= this.state1;
    this.state1 ^= this.state2;
    this.state0 ^= this.state3;
    this.state2 ^= shifted;
    this.state3 = (this.state3 << 11) | (this.state3 >>> 21);
    return result;
  }

  /** A uniform integer in 0 … bound - 1, without modulo bias. `bound` is an integer in 1 … 2^32. */
  nextBelow(bound: number): number {
    if (!(bound >= 1 && bound <= 0x100000000 && Number.isInteger(bound))) {
      throw new RangeError(`bound: must be an integer from 1 to 2^32, got ${bound}`);
    }
    // The first (2^32 mod bound) values would make the low results likelier: draw again.
    const threshold = 0x100000000 % bound;
    for (;;) {
      const drawn = this.nextU32();
      if (drawn >= threshold) return drawn % bound;
    }
  }

  /** A uniform integer in lowest … highest, both included. */
  nextBetween(lowest: number, highest: number): number {
    return lowest + this.nextBelow(highest - lowest + 1);
  }

  /**
   * Gaussian-like noise: an integer with mean 0 and standard deviation {@link NOISE_SIGMA}, never beyond ±6 sigma.
   * The sum of twelve uniform 16-bit numbers has exactly that deviation, and needs no logarithm.
   */
  nextNoise(): number {
    let sum = 0;
    for (let index = 0; index < 6; index++) {
      const drawn = this.nextU32();
      sum += (drawn & 0xffff) + (drawn >>> 16);
    }
    return sum - 12 * 32767.5;
  }
}
