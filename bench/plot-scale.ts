/**
 * A scale of powers: from values to places, and which values are marked.
 */

/** Marks within a power of ten, when there are few powers. */
const FINE = [1, 2, 5];
const TICKS_MAX = 7;

export class LogScale {
  readonly low: number;
  readonly high: number;
  private readonly from: number;
  private readonly to: number;

  /** Values from `low` to `high`, both above 0, at places from `from` to `to`. */
  constructor(low: number, high: number, from: number, to: number) {
    this.low = low;
    this.high = high > low ? high : low * 10;
    this.from = from;
    this.to = to;
  }

  at(value: number): number {
    const { low, high, from, to } = this;
    return from + ((Math.log(value) - Math.log(low)) / (Math.log(high) - Math.log(low))) * (to - from);
  }

  /** The same places for values that begin and end at a mark. */
  widened(): LogScale {
    const power = (value: number): number => 10 ** Math.floor(Math.log10(value) + 1e-9);
    const down = power(this.low);
    const low = Math.max(...FINE.map((step) => step * down).filter((value) => value <= this.low));
    const up = power(this.high);
    const high = [...FINE, 10].map((step) => step * up).find((value) => value >= this.high) ?? up * 10;
    return new LogScale(low, high, this.from, this.to);
  }

  /** Values to mark, ascending: powers of ten, and 2 and 5 times those where that is not too many. */
  ticks(): number[] {
    const all: number[] = [];
    const powers: number[] = [];
    for (let power = 10 ** Math.floor(Math.log10(this.low)); power <= this.high * 1.0001; power *= 10) {
      for (const step of FINE) {
        const value = step * power;
        if (value < this.low * 0.9999 || value > this.high * 1.0001) continue;
        all.push(value);
        if (step === 1) powers.push(value);
      }
    }
    return all.length <= TICKS_MAX || powers.length < 2 ? all : powers;
  }
}

/** `65536` as `64k`, `1500` as `1.5k`: few letters. */
export function shortNumber(value: number): string {
  if (value >= 1024 && Number.isInteger(value / 1024)) return `${value / 1024}Ki`;
  const units: [number, string][] = [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ];
  for (const [unit, letter] of units)
    if (value >= unit) return `${Number((value / unit).toPrecision(3))}${letter}`;
  return String(Number(value.toPrecision(3)));
}
