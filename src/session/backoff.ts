/**
 * How long to wait before the next attempt to connect: doubling, with jitter, up to a maximum. A thousand devices
 * that lost the same access point must not come back in the same millisecond.
 */

export class Backoff {
  /** Milliseconds before the first attempt; doubled for each further one. */
  firstMs: number;
  maximumMs: number;
  /** Attempts in a row that may fail; Infinity for no limit, 0 for no reconnect. */
  attemptsMax: number;
  /** Attempts that failed since the last success. */
  attempts: number;
  /** Gives integers 0 to 4,294,967,295. */
  random: () => number;

  constructor(firstMs: number, maximumMs: number, attemptsMax: number, random: () => number) {
    this.firstMs = firstMs;
    this.maximumMs = maximumMs;
    this.attemptsMax = attemptsMax;
    this.attempts = 0;
    this.random = random;
  }

  /** Milliseconds to wait, from half of the step to the whole of it; -1 when the attempts are used up. */
  next(): number {
    if (this.attempts >= this.attemptsMax) return -1;
    let stepMs = this.firstMs;
    for (let i = 0; i < this.attempts && stepMs < this.maximumMs; i++) stepMs *= 2;
    if (stepMs > this.maximumMs) stepMs = this.maximumMs;
    this.attempts++;
    const half = Math.floor(stepMs / 2);
    return stepMs - half + Math.floor((half * (this.random() >>> 0)) / 4294967296);
  }

  /** A connection was accepted. */
  reset(): void {
    this.attempts = 0;
  }
}
