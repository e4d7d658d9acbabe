/**
 * Axes: which values get a tick, and where a value lies between the ends. Positions are parts of the axis, 0 at its
 * start and 1 at its end. Knows nothing of SVG.
 */

/** An axis with its ticks, ends included where they are round. */
export interface Scale {
  ticks: number[];
  /** Where `value` lies, 0 … 1; outside values are moved to the nearer end. */
  at(value: number): number;
}

/** From 0 to a round number at or above `highest`, in about `count` steps of 1, 2 or 5 times a power of ten. */
export function linearScale(highest: number, count = 4): Scale {
  const top = highest > 0 ? highest : 1;
  const rough = top / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  // Below 1 there are no devices or messages to count.
  const step = Math.max(1, ([1, 2, 5].find((factor) => factor * power >= rough * 0.999) ?? 10) * power);
  const steps = Math.max(1, Math.ceil(top / step - 0.001));
  const end = steps * step;
  return {
    ticks: Array.from({ length: steps + 1 }, (_, index) => index * step),
    at: (value) => clamp(value / end),
  };
}

/** From the 1-2-5 number at or below `lowest` to the one at or above `highest`; ticks are decades where there are enough. */
export function logScale(lowest: number, highest: number): Scale {
  const low = lowest > 0 ? lowest : 0.001;
  const high = Math.max(highest, low);
  const candidates: number[] = [];
  for (let power = Math.floor(Math.log10(low)) - 1; power <= Math.ceil(Math.log10(high)) + 1; power++) {
    // Dividing keeps 0.001 itself, where 10 ** -3 may be a hair off.
    const unit = power < 0 ? 1 / 10 ** -power : 10 ** power;
    for (const factor of [1, 2, 5]) candidates.push(unit * factor);
  }
  // The candidates reach a decade beyond both ends, so the fallbacks are never taken.
  const start = candidates.findLast((value) => value <= low * 1.0001) ?? low;
  const end = candidates.find((value) => value >= high * 0.9999 && value > start * 1.5) ?? high * 10;
  const inside = candidates.filter((value) => value >= start * 0.999 && value <= end * 1.001);
  const decades = inside.filter((value) => isDecade(value));
  const logStart = Math.log10(start);
  const logSpan = Math.log10(end) - logStart;
  return {
    ticks: decades.length >= 3 ? decades : inside,
    at: (value) => (value <= 0 ? 0 : clamp((Math.log10(value) - logStart) / logSpan)),
  };
}

/** Ticks for elapsed time, at most `count` steps of a length people count in. */
export function timeScale(spanMs: number, count = 8): Scale {
  const steps = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400,
  ];
  const stepMs = 1000 * (steps.find((step) => (step * 1000 * count) >= spanMs) ?? Math.ceil(spanMs / count / 86_400_000) * 86_400); // prettier-ignore
  const ticks: number[] = [];
  for (let time = 0; time <= spanMs; time += stepMs) ticks.push(time);
  return { ticks, at: (value) => clamp(value / spanMs) };
}

/**
 * How to write times of an axis of this length: seconds throughout where that is short (`90 s`), else the shortest that
 * is exact: `2 min`, `1:30` (minutes and seconds), `3 h`, `3 h 30`.
 */
export function timeTickFormat(spanMs: number): (timeMs: number) => string {
  const pad = (value: number): string => String(value).padStart(2, '0');
  return (timeMs) => {
    const seconds = Math.round(timeMs / 1000);
    if (seconds === 0) return '0';
    if (spanMs <= 150_000) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (seconds < 3600) return seconds % 60 === 0 ? `${minutes} min` : `${minutes}:${pad(seconds % 60)}`;
    return seconds % 3600 === 0
      ? `${seconds / 3600} h`
      : `${Math.floor(seconds / 3600)} h ${pad(minutes % 60)}`;
  };
}

function isDecade(value: number): boolean {
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6;
}

function clamp(part: number): number {
  return Math.min(1, Math.max(0, part));
}
