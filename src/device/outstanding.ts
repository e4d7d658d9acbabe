/**
 * Telemetry messages that the server has not taken over yet: which ticket is which message, with how many samples.
 * Room for a fixed number, 12 bytes each.
 */

const STRIDE = 3;
const TICKET = 0;
const SEQUENCE = 1;
const SAMPLE_COUNT = 2;

export class Outstanding {
  numbers: Uint32Array;
  count: number;

  constructor(countMax: number) {
    this.numbers = new Uint32Array(countMax * STRIDE);
    this.count = 0;
  }

  isFull(): boolean {
    return this.count * STRIDE === this.numbers.length;
  }

  /** Notes a message; not when it is full. */
  add(ticket: number, sequence: number, sampleCount: number): void {
    const at = this.count * STRIDE;
    this.numbers[at + TICKET] = ticket;
    this.numbers[at + SEQUENCE] = sequence;
    this.numbers[at + SAMPLE_COUNT] = sampleCount;
    this.count++;
  }

  /** Index of the message with `ticket`, or -1. */
  find(ticket: number): number {
    for (let i = 0; i < this.count; i++) if (this.numbers[i * STRIDE + TICKET] === ticket) return i;
    return -1;
  }

  sequence(i: number): number {
    return this.numbers[i * STRIDE + SEQUENCE];
  }

  sampleCount(i: number): number {
    return this.numbers[i * STRIDE + SAMPLE_COUNT];
  }

  /** Forgets the message at index `i`; those behind it move up. */
  remove(i: number): void {
    this.count--;
    const end = this.count * STRIDE;
    for (let at = i * STRIDE; at < end; at++) this.numbers[at] = this.numbers[at + STRIDE];
  }
}
