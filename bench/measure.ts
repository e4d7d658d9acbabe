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

/** How long to measure. */
export interface Patience {
  readonly rounds: number;
  /** Of one contender in one round, about. */
  readonly roundMs: number;
  readonly warmUpMs: number;
}

const PATIENCE: Patience = { rounds: 15, roundMs: 40, warmUpMs: 250 };

/** Results go here, so that no work is without effect. */
export const sink = { sum: 0 };

function timed(work: Work, count: number): number {
  const startedAt = performance.now();
  sink.sum = (sink.sum + work(count)) | 0;
  return performance.now() - startedAt;
}

/** Runs `work` until the engine has made of it what it will, and finds how often it runs in one round. */
function warmUp(work: Work, { roundMs, warmUpMs }: Patience): number {
  let count = 16;
  let totalMs = 0;
  for (;;) {
    const ms = timed(work, count);
    totalMs += ms;
    if (totalMs >= warmUpMs && ms >= roundMs / 4) return Math.ceil((count * roundMs) / ms);
    if (ms < roundMs) count *= 2;
  }
}

/** Measures the contenders in turns, each round beginning with another one. */
export function measure(contenders: readonly Contender[], patience: Patience = PATIENCE): Measured[] {
  const counts = contenders.map(({ work }) => warmUp(work, patience));
  const measured = contenders.map(({ name }) => ({ name, perSecond: [] as number[] }));
  for (let round = 0; round < patience.rounds; round++) {
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

const CALIBRATION_TURNS = 20_000_000;

/** How much the machine's own doings change what is measured: spreads, as parts of the median. */
export interface Noise {
  readonly rounds: number;
  readonly medianMs: number;
  /** Of processor time, and of the time by the clock. */
  readonly cpu: number;
  readonly clock: number;
}

/**
 * A loop that is always the same, run once a round: how much its time varies says how much the machine does to whatever
 * is measured on it.
 */
export class Calibration {
  private readonly cpuMs: number[] = [];
  private readonly ms: number[] = [];

  run(): void {
    const before = process.cpuUsage();
    const startedMs = performance.now();
    let word = 1;
    for (let turn = 0; turn < CALIBRATION_TURNS; turn++)
      word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0;
    sink.sum = (sink.sum + word) | 0;
    this.ms.push(performance.now() - startedMs);
    const { user, system } = process.cpuUsage(before);
    this.cpuMs.push((user + system) / 1000);
  }

  /** Undefined before the first run. */
  noise(): Noise | undefined {
    const { cpuMs, ms } = this;
    if (ms.length === 0) return undefined;
    return { rounds: ms.length, medianMs: median(cpuMs), cpu: spread(cpuMs), clock: spread(ms) };
  }
}

/** Of the whole run: the rounds of all benches. */
export const calibration = new Calibration();

/** One line about `noise`. */
export function noiseText({ rounds, medianMs, cpu, clock }: Noise): string {
  const percent = (part: number): string => `${(part * 100).toFixed(0)} %`;
  return (
    `noise of the machine: over ${rounds} rounds the middle half of a fixed loop of ${medianMs.toFixed(0)} ms was ` +
    `${percent(cpu)} apart in processor time, ${percent(clock)} by the clock`
  );
}
