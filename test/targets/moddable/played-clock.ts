/**
 * The modules `timer` and `time` of a device whose time only the test moves. One for each test file, as a device has
 * one: `vi.mock('timer', () => timerModule)`.
 */

interface PlayedTimer {
  atMs: number;
  callback: () => void;
}

export class PlayedClock {
  /** Milliseconds of true time since the test began. */
  nowMs = 0;
  /** What `Time.ticks` adds to them. */
  ticksAtStart = 0;
  /** Timers set so far. */
  setCount = 0;
  private timers: PlayedTimer[] = [];

  set(callback: () => void, ms = 0): PlayedTimer {
    if (!(ms >= 0 && ms <= 0x7fffffff && Number.isInteger(ms)))
      throw new Error(`a timer takes 31 bits, not ${ms}`);
    const timer = { atMs: this.nowMs + ms, callback };
    this.timers.push(timer);
    this.setCount++;
    return timer;
  }

  clear(timer: PlayedTimer | undefined): void {
    this.timers = this.timers.filter((one) => one !== timer);
  }

  /** Timers that run, by how many milliseconds they have left. */
  get left(): number[] {
    return this.timers.map(({ atMs }) => atMs - this.nowMs).sort((a, b) => a - b);
  }

  /** Lets time pass, timers going off on the way in their order, those set meanwhile included. */
  advance(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const due = this.timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.clear(due);
      this.nowMs = Math.max(this.nowMs, due.atMs);
      due.callback();
    }
    this.nowMs = untilMs;
  }

  /** Begins anew. */
  reset(): void {
    this.nowMs = 0;
    this.ticksAtStart = 0;
    this.timers = [];
  }
}

export const clock = new PlayedClock();

export const timerModule = {
  default: {
    set: (callback: () => void, ms?: number): object => clock.set(callback, ms),
    clear: (timer: PlayedTimer | undefined): void => clock.clear(timer),
  },
};

export const timeModule = {
  default: {
    /** As a device has them: 32 bits with a sign. */
    get ticks(): number {
      return (clock.ticksAtStart + clock.nowMs) | 0;
    },
  },
};
