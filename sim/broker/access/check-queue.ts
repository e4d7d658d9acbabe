/**
 * Work of which only so much may be under way at once, and only so much may wait: checking passwords, each of which takes
 * a thread and megabytes. First come, first served. Knows nothing of passwords.
 */

export class CheckQueue {
  private readonly atOnceMax: number;
  private readonly waitingMax: number;
  private atOnce = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(atOnceMax: number, waitingMax: number) {
    this.atOnceMax = atOnceMax;
    this.waitingMax = waitingMax;
  }

  /** What `task` resolves with or rejects with, once it had its turn; null when too many wait already. */
  run<T>(task: () => Promise<T>): Promise<T> | null {
    if (this.atOnce < this.atOnceMax) {
      this.atOnce++;
      return this.finish(task);
    }
    if (this.waiting.length >= this.waitingMax) return null;
    return new Promise<void>((resolve) => this.waiting.push(resolve)).then(() => this.finish(task));
  }

  /** Does a task whose turn it is, and hands its place to the next. */
  private async finish<T>(task: () => Promise<T>): Promise<T> {
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.atOnce--;
      else next();
    }
  }
}
