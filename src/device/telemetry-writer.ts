/**
 * What a format has to be able to do for telemetry. One writer serves one device and is used for one message after the
 * other; JSON and CBOR say the same things in the same order (docs/device.md has the schema).
 */

/** Where a message's head finds its numbers. */
export const HEAD_SEQUENCE = 0;
export const HEAD_TIMESTAMP = 1;
/** How many there are. */
export const HEAD_NUMBERS = 2;

export interface TelemetryWriter {
  /** The message, up to `at`. Set back to where a row but the first began, that row is not there any more. */
  bytes: Uint8Array;
  at: number;
  /** Bytes that a message with one sample may take: what `bytes` must hold at least. */
  byteLengthMin: number;

  /**
   * Begins a message: its number and time are in `head`, with `timeDigits` decimals of a millisecond; `isEpoch` says
   * what the time counts from; `dropped` is left out when it is 0.
   */
  begin(head: Float64Array, timeDigits: number, isEpoch: boolean, dropped: number): void;
  /** Whether one more sample of metric `metric`, in a row of its own, and the end of the message fit below `limit`. */
  hasRoom(metric: number, limit: number): boolean;
  /** Begins a row of samples that were taken `age` milliseconds before the message's time; ends the one before. */
  beginRow(age: number): void;
  /** Adds the sample `values[index]` of metric `metric`, rounded to `digits` decimals, to the row. */
  addSample(metric: number, values: Float64Array, index: number, digits: number): void;
  /** Ends row and message. */
  finish(): void;
}
