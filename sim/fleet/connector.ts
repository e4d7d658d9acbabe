/**
 * Lets devices in to the server at a bearable pace: so many a second, so many under way at once, one after the other in
 * the order they asked. The same gate serves the first connection and every one after a cut. Knows nothing of sessions.
 */

export class Connector {
  /** While true nobody is let in. */
  isHeld = true;
  private readonly ratePerSecond: number;
  private readonly pendingMax: number;
  private readonly begin: (index: number) => void;
  /** Indexes that wait, first come first served; each at most once. */
  private readonly queue: Int32Array;
  private readonly isQueued: Uint8Array;
  private readonly isPending: Uint8Array;
  private first = 0;
  private queued = 0;
  private pending = 0;
  private allowance = 0;
  private lastMs = NaN;

  /**
   * @param count indexes are 0 … count - 1
   * @param ratePerSecond how many begin per second; 0 for no limit
   * @param pendingMax how many may be under way at once
   * @param begin begins to connect one
   */
  constructor(count: number, ratePerSecond: number, pendingMax: number, begin: (index: number) => void) {
    this.ratePerSecond = ratePerSecond;
    this.pendingMax = pendingMax;
    this.begin = begin;
    this.queue = new Int32Array(count);
    this.isQueued = new Uint8Array(count);
    this.isPending = new Uint8Array(count);
  }

  /** Whether anybody waits or is under way. */
  get isIdle(): boolean {
    return this.queued === 0 && this.pending === 0;
  }

  /** Puts `index` at the end of the queue, unless it is in there. */
  request(index: number): void {
    if (this.isQueued[index] === 1) return;
    this.isQueued[index] = 1;
    this.queue[(this.first + this.queued) % this.queue.length] = index;
    this.queued += 1;
  }

  /** `index` is in, or has failed: another may begin. */
  settle(index: number): void {
    if (this.isPending[index] === 0) return;
    this.isPending[index] = 0;
    this.pending -= 1;
  }

  /** Nobody is to be let in any more. */
  clear(): void {
    this.queued = 0;
    this.isQueued.fill(0);
  }

  /** Lets in as many as may be now. */
  advance(nowMs: number): void {
    const elapsedMs = Number.isNaN(this.lastMs) ? 0 : nowMs - this.lastMs;
    this.lastMs = nowMs;
    // No more than a tenth of a second's worth is saved up while nobody asks: a pause must not end in a burst.
    const most = Math.max(1, this.ratePerSecond / 10);
    this.allowance = Math.min(most, this.allowance + (elapsedMs * this.ratePerSecond) / 1000);
    while (!this.isHeld && this.queued > 0 && this.pending < this.pendingMax) {
      if (this.ratePerSecond > 0) {
        if (this.allowance < 1) return;
        this.allowance -= 1;
      }
      const index = this.queue[this.first];
      this.first = (this.first + 1) % this.queue.length;
      this.queued -= 1;
      this.isQueued[index] = 0;
      this.isPending[index] = 1;
      this.pending += 1;
      this.begin(index);
    }
  }
}
