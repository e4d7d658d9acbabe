/**
 * The seeded random: the same on every machine, streams apart from each other.
 */
import { describe, expect, it } from 'vitest';
import { NOISE_SIGMA, Random } from '../../../sim/fleet/random.ts';

/** xoshiro128** as published by Blackman and Vigna, in arithmetic that shares nothing with ours. */
function* reference(state: bigint[]): Generator<number> {
  const mask = 0xffffffffn;
  const rotl = (value: bigint, by: bigint): bigint => ((value << by) | (value >> (32n - by))) & mask;
  let [a, b, c, d] = state;
  for (;;) {
    yield Number((rotl((b * 5n) & mask, 7n) * 9n) & mask);
    const shifted = (b << 9n) & mask;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotl(d, 11n);
  }
}

describe('Random', () => {
  it('is xoshiro128**', () => {
    for (const state of [
      [1, 2, 3, 4],
      [0xdeadbeef, 0xffffffff, 0x80000000, 7],
    ]) {
      const random = new Random(0);
      random.setState(state[0], state[1], state[2], state[3]);
      const expected = reference(state.map(BigInt));
      for (let index = 0; index < 1000; index++) expect(random.nextU32()).toBe(expected.next().value);
    }
    const random = new Random(0);
    random.setState(1, 2, 3, 4);
    expect([random.nextU32(), random.nextU32(), random.nextU32(), random.nextU32()]).toEqual([
      11520, 0, 5927040, 70819200,
    ]);
  });

  it('gives the same stream for the same seed, another for another seed or stream', () => {
    const draw = (seed: number, stream?: number): string => {
      const random = new Random(seed, stream);
      return Array.from({ length: 8 }, () => random.nextU32()).join();
    };
    expect(draw(7, 3)).toBe(draw(7, 3));
    const all = new Set<string>();
    for (let seed = 0; seed < 30; seed++)
      for (let stream = 0; stream < 30; stream++) all.add(draw(seed, stream));
    expect(all.size).toBe(900);
    expect(draw(1)).not.toBe(draw(1 + 2 ** 32));
    expect(draw(-1)).not.toBe(draw(1));
    expect(() => new Random(0.5)).toThrow(/seed/);
    expect(() => new Random(1, NaN)).toThrow(/stream/);
  });

  it('draws below a bound evenly, at the ends of its range too', () => {
    const random = new Random(1);
    const counts = new Array<number>(10).fill(0);
    for (let index = 0; index < 100_000; index++) counts[random.nextBelow(10)] += 1;
    for (const count of counts) expect(count).toBeGreaterThan(9_500);
    expect(random.nextBelow(1)).toBe(0);
    for (let index = 0; index < 100; index++) expect(random.nextBelow(2 ** 32)).toBeLessThan(2 ** 32);
    for (const bound of [0, -1, 1.5, 2 ** 32 + 1, NaN])
      expect(() => random.nextBelow(bound)).toThrow(/bound/);
    for (let index = 0; index < 1000; index++) {
      const drawn = random.nextBetween(-3, 3);
      expect(drawn >= -3 && drawn <= 3 && Number.isInteger(drawn)).toBe(true);
    }
  });

  it('makes noise with mean 0 and the stated deviation', () => {
    const random = new Random(5);
    let sum = 0;
    let squares = 0;
    let beyondTwoSigma = 0;
    const draws = 50_000;
    for (let index = 0; index < draws; index++) {
      const noise = random.nextNoise();
      expect(Number.isInteger(noise)).toBe(true);
      sum += noise;
      squares += noise * noise;
      if (Math.abs(noise) > 2 * NOISE_SIGMA) beyondTwoSigma += 1;
    }
    expect(Math.abs(sum / draws)).toBeLessThan(NOISE_SIGMA * 0.02);
    expect(Math.sqrt(squares / draws) / NOISE_SIGMA).toBeCloseTo(1, 1);
    expect(beyondTwoSigma / draws).toBeCloseTo(0.0455, 2);
  });
});
