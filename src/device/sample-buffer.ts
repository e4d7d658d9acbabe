/**
 * Samples on their way into messages: a ring of fixed size, 13 bytes a sample. When it is full the oldest gives way,
 * and is counted. Knows neither metrics nor messages.
 */

export class SampleBuffer {
  /** Readings; NaN for no value. */
  values: Float64Array;
  /** When: milliseconds on the device's clock, modulo 2 to the 32nd (49 days). */
  ticks: Uint32Array;
  /** Which metric. */
  metrics: Uint8Array;
  capacity: number;
  /** Index of the oldest sample. */
  first: number;
  count: number;
  /** Samples that were lost and that no message has told of. */
  dropped: number;

  constructor(capacity: number) {
    this.values = new Float64Array(capacity);
    this.ticks = new Uint32Array(capacity);
    this.metrics = new Uint8Array(capacity);
    this.capacity = capacity;
    this.first = 0;
    this.count = 0;
    this.dropped = 0;
  }

  /** Index of the sample `n` places behind the oldest, 0 to count - 1. */
  index(n: number): number {
    const index = this.first + n;
    return index < this.capacity ? index : index - this.capacity;
  }

  /** Makes room for one more sample, at the expense of the oldest if need be; returns its index, for the caller to fill. */
  add(): number {
    if (this.count === this.capacity) {
      this.consume(1);
      this.dropped++;
    }
    this.count++;
    return this.index(this.count - 1);
  }

  /** Milliseconds from the sample `n` places behind the oldest until `nowMs`. */
  age(n: number, nowMs: number): number {
    return (nowMs - this.ticks[this.index(n)]) >>> 0;
  }

  /** Forgets the `count` oldest samples: a message has them. */
  consume(count: number): void {
    this.first = this.index(count);
    this.count -= count;
  }
}
