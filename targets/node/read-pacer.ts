/**
 * When to let bytes gather before reading them, as network cards gather frames before they interrupt: a server that sends
 * every packet by itself wakes this process for each, and being woken costs many times what the packet does. Knows nothing
 * of sockets and packets: whoever reads tells how much came and when, and is told whether to stop for PAUSE_MS.
 *
 * Reading pauses only while chunks are small and come close together, so a message by itself is never late; and only
 * while as much comes as did without pauses, so nobody who waits for our answers, or whose answers we wait for one by
 * one, is slowed down: where that shows, pauses are tried again later and later.
 */

/** How long reading stops at a time, milliseconds. */
export const PAUSE_MS = 1;

/** Reads that pausing would spare, a millisecond, for it to be worth anything. */
const READS_PER_MS_MIN = 8;
/** From this many bytes a read on, being woken is no longer what a read costs. */
const SMALL_READ_BYTES = 2048;
/** How long the rate without pauses is measured. */
const SAMPLE_MS = 2;
/** Pauses after which the rate is compared, and how much of the rate without pauses it must be; */
const EPOCH_PAUSES = 8;
const RATE_KEPT_MIN = 0.75;
/** where everything stands still during a pause, two of them show it. */
const FIRST_PAUSES = 2;
const FIRST_RATE_KEPT_MIN = 0.3;
/** Epochs after which the rate without pauses is measured anew. */
const EPOCHS_MAX = 64;
/** Milliseconds without another try after one that failed; twice as long after each more, up to the other. */
const REST_MS = 4;
const REST_MS_MAX = 1024;

export class ReadPacer {
  isPacing = false;
  /** Where the rate is being measured from, and what came since. */
  private startedAtMs: number;
  private byteLength = 0;
  /** Reads without pauses, or pauses, since then. */
  private count = 0;
  private epochs = 0;
  /** Bytes a millisecond that came without pauses. */
  private rate = 0;
  private restMs = REST_MS;
  private restUntilMs = 0;

  constructor(nowMs: number) {
    this.startedAtMs = nowMs;
  }

  /** `byteLength` bytes were read at once. Returns whether reading should stop for PAUSE_MS. */
  handleRead(byteLength: number, nowMs: number): boolean {
    if (nowMs < this.restUntilMs) return false;
    this.byteLength += byteLength;
    this.count++;
    const elapsedMs = nowMs - this.startedAtMs;
    if (this.isPacing) return this.compare(elapsedMs, nowMs);
    if (elapsedMs < SAMPLE_MS) return false;
    const isDense = this.count >= elapsedMs * READS_PER_MS_MIN;
    if (isDense && this.byteLength < this.count * SMALL_READ_BYTES) {
      this.rate = this.byteLength / elapsedMs;
      this.isPacing = true;
      this.epochs = 0;
    }
    this.start(nowMs);
    return this.isPacing;
  }

  private compare(elapsedMs: number, nowMs: number): boolean {
    const { count } = this;
    if (count !== FIRST_PAUSES && count < EPOCH_PAUSES) return true;
    const kept = this.byteLength / (elapsedMs * this.rate);
    if (kept < (count === FIRST_PAUSES ? FIRST_RATE_KEPT_MIN : RATE_KEPT_MIN)) {
      this.isPacing = false;
      this.restUntilMs = nowMs + this.restMs;
      this.restMs = Math.min(this.restMs * 2, REST_MS_MAX);
      this.start(this.restUntilMs);
      return false;
    }
    if (count === FIRST_PAUSES) return true;
    this.restMs = REST_MS;
    this.epochs++;
    this.isPacing = this.epochs < EPOCHS_MAX;
    this.start(nowMs);
    return this.isPacing;
  }

  private start(atMs: number): void {
    this.startedAtMs = atMs;
    this.byteLength = 0;
    this.count = 0;
  }
}
