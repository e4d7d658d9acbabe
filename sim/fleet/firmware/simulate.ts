/**
 * Firmware that simulates its surroundings by itself: what it gets for that. Runs here and in XS machines alike.
 */
import { Random } from '../random.ts';

/** What a firmware file may export as `simulate`: makes its `board`; `random` gives numbers from 0 up to but not 1. */
export type Simulate = (index: number, random: () => number) => unknown;

/** Tells the numbers for it apart from other streams of the fleet's seed. */
const SALT = 2;

/** The `board` that firmware makes for the device at `index`; throws unless it is an object. */
export function runSimulate(simulate: Simulate, seed: number, index: number): object {
  const random = new Random(seed + SALT, index);
  const io = simulate(index, () => random.nextU32() / 0x100000000);
  if (typeof io !== 'object' || io === null) throw new TypeError('simulate() must return an object');
  return io;
}
