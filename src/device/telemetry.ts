/**
 * From samples to messages: which samples go into the next message, and when it is due. Knows neither sessions nor
 * topics.
 */
import type { SampleBuffer } from './sample-buffer.ts';
import type { Schedule } from './schedule.ts';
import { HEAD_NUMBERS, HEAD_SEQUENCE, HEAD_TIMESTAMP } from './telemetry-writer.ts';
import type { TelemetryWriter } from './telemetry-writer.ts';

export class Telemetry {
  schedule: Schedule;
  samples: SampleBuffer;
  writer: TelemetryWriter;
  /** Number of the next message. */
  sequence: number;
  /** When a message is due: its oldest sample's age, how many there are; 0 is no reason, two zeros are at once. */
  batchMs: number;
  batchSamples: number;
  /** Milliseconds since 1970, 0 while the clock is not set; null without a clock. */
  epochMs: (() => number) | null;
  /** Decimals of the message's time. */
  timeDigits: number;
  /** On the device's clock: where its uptime begins. */
  startedMs: number;
  /** Numbers for the head of a message. */
  head: Float64Array;
  /** Lost samples that the message at hand tells of. */
  droppedTold: number;

  constructor(
    schedule: Schedule,
    samples: SampleBuffer,
    writer: TelemetryWriter,
    epochMs: (() => number) | null,
    timeDigits: number,
    sequence: number,
    startedMs: number,
  ) {
    this.schedule = schedule;
    this.samples = samples;
    this.writer = writer;
    this.sequence = sequence;
    this.batchMs = 0;
    this.batchSamples = 1;
    this.epochMs = epochMs;
    this.timeDigits = timeDigits;
    this.startedMs = startedMs;
    this.head = new Float64Array(HEAD_NUMBERS);
    this.droppedTold = 0;
  }

  /** Whether the samples that wait are to go out now. */
  isDue(nowMs: number): boolean {
    const count = this.samples.count;
    if (count === 0) return false;
    if (this.batchMs === 0 && this.batchSamples === 0) return true;
    if (this.batchSamples > 0 && count >= this.batchSamples) return true;
    // One more would cost the oldest.
    if (count === this.samples.capacity) return true;
    return this.batchMs > 0 && this.samples.age(0, nowMs) >= this.batchMs;
  }

  /** Milliseconds until the samples that wait are old enough to go out; Infinity when age is no reason. */
  dueInMs(nowMs: number): number {
    if (this.samples.count === 0 || this.batchMs === 0) return Infinity;
    const inMs = this.batchMs - this.samples.age(0, nowMs);
    return inMs > 0 ? inMs : 0;
  }

  /**
   * Writes the message with the oldest samples, one at least and as many as stay below `limit` bytes. Returns how many
   * it holds. They stay where they are until `accept`.
   */
  encode(nowMs: number, limit: number): number {
    const samples = this.samples;
    const writer = this.writer;
    const epochMs = this.epochMs === null ? 0 : this.epochMs();
    const isEpoch = epochMs > 0;
    this.head[HEAD_SEQUENCE] = this.sequence;
    this.head[HEAD_TIMESTAMP] = isEpoch ? epochMs : nowMs - this.startedMs;
    this.droppedTold = samples.dropped;
    writer.begin(this.head, this.timeDigits, isEpoch, samples.dropped);
    let lastMetric = -1;
    let lastAge = 0;
    let n = 0;
    // Where the row under way begins: in the message, and among the samples.
    let rowAt = 0;
    let rowN = 0;
    for (; n < samples.count; n++) {
      const index = samples.index(n);
      const metric = samples.metrics[index];
      const age = samples.age(n, nowMs);
      // Samples are taken in the order of their metrics: one that comes no later than the last begins a row.
      const isRow = n === 0 || age !== lastAge || metric <= lastMetric;
      if (n > 0 && !writer.hasRoom(metric, limit)) {
        if (isRow || rowN === 0) break;
        // What was read at once is told at once: the row goes into the next message as a whole.
        writer.at = rowAt;
        n = rowN;
        break;
      }
      if (isRow) {
        rowAt = writer.at;
        rowN = n;
        writer.beginRow(age);
      }
      writer.addSample(metric, samples.values, index, this.schedule.digits(metric));
      lastMetric = metric;
      lastAge = age;
    }
    writer.finish();
    return n;
  }

  /** The message at hand, with `count` samples, is on its way. */
  accept(count: number): void {
    this.samples.consume(count);
    this.samples.dropped -= this.droppedTold;
    this.sequence++;
  }

  /** The message at hand can never be sent: its samples are lost. */
  discard(count: number): void {
    this.samples.consume(count);
    this.samples.dropped += count;
  }
}
