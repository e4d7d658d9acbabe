/**
 * A Moddable device as a board for lines: its timers, its ticks as a clock that never goes back, its random, and sockets
 * of ECMA-419 to one server.
 */
import Time from 'time';
import Timer from 'timer';
import type { Board, BoardReceiver } from '../../src/line.ts';
import { SocketTransport } from './socket-transport.ts';
import type { SocketOptions } from './socket-transport.ts';

/**
 * A timer that runs for longer goes off early, and whoever set it sets it again: so that the ticks are looked at often
 * enough for none of their turns to be missed.
 */
const TIMER_MS_MAX = 0x3fffffff;

export class ModdableBoard implements Board {
  readonly random: () => number;
  private readonly options: SocketOptions;
  private lastTicks: number;
  private ms = 0;

  /** @param options Where lines connect, and with what. */
  constructor(options: SocketOptions) {
    this.options = options;
    this.lastTicks = Time.ticks;
    // On an ESP32 Math.random is the hardware's. Elsewhere it may say the same after every start, and then the time of
    // the start is what keeps two devices apart. Multiplied: the date and the ticks go together, and would cancel out.
    const salt = Date.now() + Math.imul(Time.ticks, 0x9e3779b1);
    this.random = () => ((Math.random() * 4294967296) ^ salt) >>> 0;
  }

  /** Milliseconds since the board was made. */
  nowMs(): number {
    const ticks = Time.ticks;
    // Modulo 2^32, for ticks turn over after 24 days; where they are the date, setting that back must not turn back time.
    const passed = (ticks - this.lastTicks) | 0;
    this.lastTicks = ticks;
    if (passed > 0) this.ms += passed;
    return this.ms;
  }

  setTimer(callback: () => void, ms: number): object {
    return Timer.set(callback, ms > TIMER_MS_MAX ? TIMER_MS_MAX : Math.ceil(ms));
  }

  clearTimer(timer: unknown): void {
    Timer.clear(timer as object | undefined);
  }

  createTransport(receiver: BoardReceiver): SocketTransport {
    return new SocketTransport(receiver, this.options, this);
  }
}
