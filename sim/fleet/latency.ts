/**
 * Latencies at microsecond resolution: exact enough percentiles (three significant digits) for the whole run and for
 * the interval since the last look, and a distribution in ten steps a decade for drawing. Knows nothing of devices.
 */
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Percentiles, all in ms. */
export interface LatencySummary {
  count: number;
  minMs: number;
  meanMs: number;
  p50Ms: number;
  p90Ms: number;
  p99Ms: number;
  p999Ms: number;
  maxMs: number;
}

/** How many latencies were at least `fromMs` and below `toMs`. */
export interface LatencyBin {
  fromMs: number;
  toMs: number;
  count: number;
}

/** A latency above this counts as this: 1,000 seconds. */
const HIGHEST_MICROSECONDS = 1e9;
const BINS_PER_DECADE = 10;
/** 1 µs … 1,000 s. The bounds are the preferred numbers R10 (1, 1.25, 1.6, 2 …), which read well on an axis. */
const BOUNDS_MICROSECONDS = makeBounds();

export class LatencyRecorder {
  private readonly total = makeHistogram();
  private readonly interval = makeHistogram();
  private readonly bins = new Float64Array(BOUNDS_MICROSECONDS.length - 1);

  /** Records one latency in ms, a fraction included. Below 1 µs counts as 1 µs; what is not a number is not counted. */
  record(latencyMs: number): void {
    if (Number.isNaN(latencyMs)) return;
    const microseconds = Math.min(HIGHEST_MICROSECONDS, Math.max(1, Math.round(latencyMs * 1000)));
    this.total.record(microseconds);
    this.interval.record(microseconds);
    this.bins[binOf(microseconds)] += 1;
  }

  /** The whole run, or null if nothing was recorded. */
  summary(): LatencySummary | null {
    return summarise(this.total);
  }

  /** What was recorded since the last call, or null if nothing was. */
  takeInterval(): LatencySummary | null {
    const summary = summarise(this.interval);
    this.interval.reset();
    return summary;
  }

  /** The bins from the first that has any to the last that has any, empty ones between included. */
  distribution(): LatencyBin[] {
    let first = 0;
    let last = this.bins.length - 1;
    while (first <= last && this.bins[first] === 0) first++;
    while (last >= first && this.bins[last] === 0) last--;
    const bins: LatencyBin[] = [];
    for (let index = first; index <= last; index++) {
      bins.push({
        fromMs: BOUNDS_MICROSECONDS[index] / 1000,
        toMs: BOUNDS_MICROSECONDS[index + 1] / 1000,
        count: this.bins[index],
      });
    }
    return bins;
  }
}

function makeHistogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: HIGHEST_MICROSECONDS, figures: 3 });
}

function summarise(histogram: RecordableHistogram): LatencySummary | null {
  if (histogram.count === 0) return null;
  const at = (percent: number): number => histogram.percentile(percent) / 1000;
  return {
    count: histogram.count,
    minMs: histogram.min / 1000,
    meanMs: Math.round(histogram.mean) / 1000,
    p50Ms: at(50),
    p90Ms: at(90),
    p99Ms: at(99),
    p999Ms: at(99.9),
    maxMs: histogram.max / 1000,
  };
}

function makeBounds(): number[] {
  const steps = [1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.3, 8];
  const bounds: number[] = [];
  for (let scale = 1; scale < HIGHEST_MICROSECONDS; scale *= 10) {
    for (const step of steps) bounds.push(Math.round(scale * step * 100) / 100);
  }
  bounds.push(HIGHEST_MICROSECONDS);
  return bounds;
}

function binOf(microseconds: number): number {
  const last = BOUNDS_MICROSECONDS.length - 2;
  // The logarithm lands on the bin or beside it, as the preferred numbers are rounded; the bounds decide.
  let index = Math.min(last, Math.floor(Math.log10(microseconds) * BINS_PER_DECADE));
  while (index > 0 && microseconds < BOUNDS_MICROSECONDS[index]) index--;
  while (index < last && microseconds >= BOUNDS_MICROSECONDS[index + 1]) index++;
  return index;
}
