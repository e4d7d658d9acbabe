/**
 * The clock of a world, and what is to happen on it: the only thing that makes time pass.
 */
import { Deadlines, type Deadline } from '../broker/deadlines.ts';

/** Something that will happen, unless it is cancelled. */
export interface SimTimer extends Deadline {
  fire(): void;
}

export class EventQueue {
  /** Milliseconds since the world began. */
  nowMs = 0;
  private readonly deadlines = new Deadlines();

  /** Has `run` called at `atMs`, or now if that is over. Those of the same time run in the order in which they were set. */
  at(atMs: number, run: () => void): SimTimer {
    const timer: SimTimer = { atMs: 0, heapIndex: -1, fire: run };
    this.deadlines.set(timer, Math.max(atMs, this.nowMs));
    return timer;
  }

  in(ms: number, run: () => void): SimTimer {
    return this.at(this.nowMs + ms, run);
  }

  cancel(timer: SimTimer): void {
    this.deadlines.clear(timer);
  }

  /** Lets time pass up to `untilMs`, or until `isOver` says so. */
  runUntil(untilMs: number, isOver: () => boolean): void {
    for (let next = this.deadlines.nextMs(); next <= untilMs; next = this.deadlines.nextMs()) {
      this.nowMs = Math.max(this.nowMs, next);
      this.deadlines.advance(this.nowMs);
      if (isOver()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }
}
