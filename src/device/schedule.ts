/**
 * When which metric is read, and whether what was read is worth telling. One table of numbers, 64 bytes a metric, that
 * configuration may change. Knows neither names nor samples.
 *
 * A metric is due at its start and every `everyMs` from there. Readings that were missed, because the device slept or
 * was busy, are left out: the next one comes at the next point of the same grid, so there are neither bursts nor drift.
 */

/** Numbers a metric. */
const STRIDE = 8;
const EVERY_MS = 0;
const DEADBAND = 1;
const MAX_SILENCE_MS = 2;
const DIGITS = 3;
const IS_ENABLED = 4;
/** When it is due: Infinity when disabled, or not started. */
const DUE_MS = 5;
/** What was told last, NaN for no value; and when: -Infinity before the first time. */
const TOLD_VALUE = 6;
const TOLD_MS = 7;

export class Schedule {
  /** STRIDE numbers a metric, and behind them the reading at hand. */
  numbers: Float64Array;
  count: number;
  /** Where the reading at hand is in `numbers`. A number handed over in an array is no object in any engine. */
  readingAt: number;
  /** When the next metric is due, Infinity for never. */
  nextMs: number;
  isStarted: boolean;

  constructor(count: number) {
    this.numbers = new Float64Array(count * STRIDE + 1);
    this.count = count;
    this.readingAt = count * STRIDE;
    this.nextMs = Infinity;
    this.isStarted = false;
  }

  /** Says what will not change of metric `i`; `change` says the rest. */
  define(i: number, digits: number): void {
    const at = i * STRIDE;
    this.numbers[at + DIGITS] = digits;
    this.numbers[at + DUE_MS] = Infinity;
    this.numbers[at + TOLD_MS] = -Infinity;
  }

  everyMs(i: number): number {
    return this.numbers[i * STRIDE + EVERY_MS];
  }

  deadband(i: number): number {
    return this.numbers[i * STRIDE + DEADBAND];
  }

  maxSilenceMs(i: number): number {
    return this.numbers[i * STRIDE + MAX_SILENCE_MS];
  }

  digits(i: number): number {
    return this.numbers[i * STRIDE + DIGITS];
  }

  isEnabled(i: number): boolean {
    return this.numbers[i * STRIDE + IS_ENABLED] === 1;
  }

  /** Changes how metric `i` is read. Its grid begins anew at its last reading, or, if it was disabled, now. */
  change(
    i: number,
    everyMs: number,
    deadband: number,
    maxSilenceMs: number,
    isEnabled: boolean,
    nowMs: number,
  ): void {
    const numbers = this.numbers;
    const at = i * STRIDE;
    let dueMs = numbers[at + DUE_MS] - numbers[at + EVERY_MS] + everyMs;
    if (dueMs < nowMs || dueMs === Infinity) dueMs = nowMs;
    if (!isEnabled || !this.isStarted) dueMs = Infinity;
    // Unchanged is unchanged: a configuration that comes again must not move a grid.
    if (everyMs !== numbers[at + EVERY_MS] || isEnabled !== this.isEnabled(i)) numbers[at + DUE_MS] = dueMs;
    numbers[at + EVERY_MS] = everyMs;
    numbers[at + DEADBAND] = deadband;
    numbers[at + MAX_SILENCE_MS] = maxSilenceMs;
    numbers[at + IS_ENABLED] = isEnabled ? 1 : 0;
  }

  /** All enabled metrics are due at `atMs`, and then on their grids. */
  start(atMs: number): void {
    this.isStarted = true;
    for (let i = 0; i < this.count; i++) {
      this.numbers[i * STRIDE + DUE_MS] = this.isEnabled(i) ? atMs : Infinity;
    }
    this.findNext();
  }

  /** Nothing is due any more. */
  stop(): void {
    this.isStarted = false;
    for (let i = 0; i < this.count; i++) this.numbers[i * STRIDE + DUE_MS] = Infinity;
    this.nextMs = Infinity;
  }

  /** Sets `nextMs`. */
  findNext(): void {
    const numbers = this.numbers;
    let nextMs = Infinity;
    for (let at = DUE_MS; at < this.readingAt; at += STRIDE) if (numbers[at] < nextMs) nextMs = numbers[at];
    this.nextMs = nextMs;
  }

  /** Whether metric `i` is to be read now; if so it is due again at the next point of its grid behind `nowMs`. */
  take(i: number, nowMs: number): boolean {
    const numbers = this.numbers;
    const at = i * STRIDE;
    if (numbers[at + DUE_MS] > nowMs) return false;
    const everyMs = numbers[at + EVERY_MS];
    let dueMs = numbers[at + DUE_MS] + everyMs;
    if (dueMs <= nowMs) dueMs += (Math.floor((nowMs - dueMs) / everyMs) + 1) * everyMs;
    numbers[at + DUE_MS] = dueMs;
    return true;
  }

  /** Whether the reading at hand of metric `i` is to be told; if so it is what later ones are compared with. */
  isWorthTelling(i: number, nowMs: number): boolean {
    const numbers = this.numbers;
    const at = i * STRIDE;
    const reading = numbers[this.readingAt];
    if (!this.isNews(at, nowMs)) return false;
    numbers[at + TOLD_VALUE] = reading;
    numbers[at + TOLD_MS] = nowMs;
    return true;
  }

  isNews(at: number, nowMs: number): boolean {
    const numbers = this.numbers;
    const deadband = numbers[at + DEADBAND];
    const toldMs = numbers[at + TOLD_MS];
    if (deadband === 0 || toldMs === -Infinity) return true;
    const reading = numbers[this.readingAt];
    const told = numbers[at + TOLD_VALUE];
    const isValue = reading === reading;
    if (isValue !== (told === told)) return true;
    if (isValue && Math.abs(reading - told) >= deadband) return true;
    // Timers are late, and then early again: half an interval too soon is nearer than half an interval too late.
    const silenceMs = numbers[at + MAX_SILENCE_MS];
    return silenceMs > 0 && nowMs - toldMs > silenceMs - numbers[at + EVERY_MS] / 2;
  }
}
