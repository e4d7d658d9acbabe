/**
 * Runs a core in Node: tells it the time, has it flush once a turn of the event loop and advance when something is due,
 * and stands between it and its links. Knows no listeners, files or options.
 */
import { BrokerCore } from './core.ts';
import type { Link } from './link.ts';
import type { LinkHost, LinkReceiver } from './link-host.ts';
import type { CoreOptions } from './options.ts';
import { systemRandom } from './random.ts';
import type { BrokerStore } from './store.ts';

/** Longer timers would fire at once; this one fires early, finds nothing due, and is set again. */
const TIMER_MS_MAX = 0x7fffffff;

/** Somebody who waits for a state of the core. */
interface Waiter {
  isDone: () => boolean;
  resolve: () => void;
}

/** Whoever has to know what goes wrong. */
export interface DriverOwner {
  /** The core threw where nobody could catch it: the connection it was about is closed, and the others go on. */
  handleFault(error: unknown): void;
  /** The core could not keep what has happened, and answers nobody any more. */
  handleStoreFailure(error: unknown): void;
}

/** Milliseconds since 1970, with fractions, that never go back while the process runs. */
function wallClockMs(): number {
  return performance.timeOrigin + performance.now();
}

export class CoreDriver implements LinkHost {
  readonly core: BrokerCore;
  /** Those whose end the core has not been told. */
  readonly links = new Set<Link>();
  private readonly owner: DriverOwner;
  private isStopped = false;
  private isTurnDue = false;
  private isFlushDue = false;
  private timer: NodeJS.Timeout | undefined = undefined;
  private timerAtMs = Infinity;
  private readonly waiters = new Set<Waiter>();

  /** Throws what the core throws for options. */
  constructor(options: CoreOptions, store: BrokerStore | undefined, owner: DriverOwner) {
    this.owner = owner;
    this.core = new BrokerCore(options, {
      random: systemRandom,
      wake: () => this.wake(),
      handleStoreFailure: (error) => owner.handleStoreFailure(error),
      store,
    });
  }

  /** Once, before anything else. */
  async restore(): Promise<void> {
    await this.core.restore(wallClockMs());
    this.touch();
  }

  open(link: Link): LinkReceiver {
    this.links.add(link);
    this.touch();
    return this.core.open(link, wallClockMs());
  }

  receive(link: Link, receiver: LinkReceiver, bytes: Uint8Array): void {
    if (this.isStopped) return;
    this.touch();
    try {
      receiver.receive(bytes, wallClockMs());
    } catch (error) {
      link.destroy();
      this.owner.handleFault(error);
    }
  }

  handleWritten(link: Link, receiver: LinkReceiver): void {
    if (this.isStopped) return;
    this.touch();
    try {
      receiver.handleWritten(wallClockMs());
    } catch (error) {
      link.destroy();
      this.owner.handleFault(error);
    }
  }

  handleClose(link: Link, receiver: LinkReceiver): void {
    this.links.delete(link);
    if (this.isStopped) return;
    this.touch();
    try {
      receiver.handleClose(wallClockMs());
    } catch (error) {
      this.owner.handleFault(error);
    }
  }

  /** Calls the core for somebody else. Throws what the core throws. */
  call<Result>(doIt: (core: BrokerCore, nowMs: number) => Result): Result {
    this.touch();
    return doIt(this.core, wallClockMs());
  }

  /** Resolves when `isDone` says so, or with false when it has not after `withinMs`. Asked after every turn. */
  async until(isDone: () => boolean, withinMs: number): Promise<boolean> {
    if (isDone()) return true;
    return new Promise((resolve) => {
      const waiter = { isDone, resolve: () => settle(true) };
      const timer = setTimeout(() => settle(isDone()), withinMs);
      const settle = (answer: boolean): void => {
        clearTimeout(timer);
        this.waiters.delete(waiter);
        resolve(answer);
      };
      this.waiters.add(waiter);
    });
  }

  destroyLinks(): void {
    for (const link of this.links) link.destroy();
  }

  /** The core hears nothing more, not even that its links close. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
  }

  private wake(): void {
    this.isFlushDue = true;
    this.touch();
  }

  /** Something happened: flush what it led to, and look when something is due next. */
  private touch(): void {
    if (this.isTurnDue) return;
    this.isTurnDue = true;
    // After the poll phase: everything that one turn of the loop has read is answered with one write a connection.
    setImmediate(this.turn);
  }

  private readonly turn = (): void => {
    this.isTurnDue = false;
    if (this.isStopped) return;
    const nowMs = wallClockMs();
    try {
      if (this.isFlushDue) {
        this.isFlushDue = false;
        this.core.flush(nowMs);
      }
    } catch (error) {
      this.owner.handleFault(error);
    }
    this.setTimer(nowMs);
    for (const waiter of this.waiters) if (waiter.isDone()) waiter.resolve();
  };

  private setTimer(nowMs: number): void {
    const atMs = this.core.nextDeadlineMs();
    // One that fires too early does no harm.
    if (atMs >= this.timerAtMs) return;
    clearTimeout(this.timer);
    this.timerAtMs = atMs;
    const delayMs = Math.min(Math.max(Math.ceil(atMs - nowMs), 1), TIMER_MS_MAX);
    this.timer = setTimeout(this.handleTimer, delayMs);
    // Listeners keep a process alive, not what they wait for.
    this.timer.unref();
  }

  private readonly handleTimer = (): void => {
    this.timerAtMs = Infinity;
    try {
      this.core.advance(wallClockMs());
    } catch (error) {
      this.owner.handleFault(error);
    }
    this.touch();
  };
}
