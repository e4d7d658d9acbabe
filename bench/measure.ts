/**
 * Measuring two ways to do the same, in turns: what is compared runs in one process, in rounds that alternate, so that
 * a busy machine slows both. Numbers are medians of the rounds; the spread says how far to trust them.
 */

/** Does its work `count` times and returns something that depends on every one of them. */
export type Work = (count: number) => number;

/** One way to do it. */
export interface Contender {
  readonly name: string;
  readonly work: Work;
}

/** What was measured of one contender. */
export interface Measured {
  readonly name: string;
  /** Times a second, by round. */
  readonly perSecond: number[];
}

const ROUNDS = 15;
const ROUND_MS = 40;
const WARM_UP_MS = 250;

/** Results go here, so that no work is without effect. */
export const sink = { sum: 0 };

function timed(work: Work, count: number): number {
  const startedAt = performance.now();
  sink.sum = (sink.sum + work(count)) | 0;
  return performance.now() - startedAt;
}

/** Runs `work` until the engine has made of it what it will, and finds how often it runs in one round. */
function warmUp(work: Work): number {
  let count = 16;
  let totalMs = 0;
  for (;;) {
    const ms = timed(work, count);
    totalMs += ms;
    if (totalMs >= WARM_UP_MS && ms >= ROUND_MS / 4) return Math.ceil((count * ROUND_MS) / ms);
    if (ms < ROUND_MS) count *= 2;
  }
}

/** Measures the contenders in turns, each round beginning with another one. */
export function measure(contenders: readonly Contender[]): Measured[] {
  const counts = contenders.map(({ work }) => warmUp(work));
  const measured = contenders.map(({ name }) => ({ name, perSecond: [] as number[] }));
  for (let round = 0; round < ROUNDS; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (round + turn) % contenders.length;
      const ms = timed(contenders[index].work, counts[index]);
      measured[index].perSecond.push((counts[index] * 1000) / ms);
    }
  }
  return measured;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** How far the middle half of the rounds is apart, as a part of the median. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const quarter = sorted.length >> 2;
  return (sorted[sorted.length - 1 - quarter] - sorted[quarter]) / median(sorted);
}
