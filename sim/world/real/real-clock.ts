/**
 * Time for a world that runs in it: milliseconds since it began, and how long this process has kept everybody waiting
 * meanwhile, which is nobody's fault who is watched.
 */
import { performance } from 'node:perf_hooks';

const TICK_MS = 20;

export class RealClock {
  private readonly bornMs = performance.now();
  private tickedMs = this.bornMs;
  private laggedMs = 0;
  private readonly timer: NodeJS.Timeout;

  constructor() {
    this.timer = setInterval(() => {
      const nowMs = performance.now();
      this.laggedMs += Math.max(0, nowMs - this.tickedMs - TICK_MS);
      this.tickedMs = nowMs;
    }, TICK_MS);
  }

  /** Whole milliseconds since the world began. */
  get nowMs(): number {
    return Math.floor(performance.now() - this.bornMs);
  }

  /** A time before all that runs now began, however long this process was kept from it: up to 20 ms before that. */
  get turnMs(): number {
    return Math.floor(this.tickedMs - this.bornMs);
  }

  /** The same without the time in which nothing of this process could run: what is late by this is late. */
  get fairMs(): number {
    const nowMs = performance.now();
    return Math.floor(nowMs - this.bornMs - this.laggedMs - Math.max(0, nowMs - this.tickedMs - TICK_MS));
  }

  stop(): void {
    clearInterval(this.timer);
  }
}
