/**
 * A session on a board: one session with buffers of fixed size, its pump, one transport, one timer. What the callback
 * client, the ECMA-419 class and the device runtime stand on. Knows no socket: the board makes the transport.
 */
import { Pump } from './pump.ts';
import type { EventSink, Transport } from './pump.ts';
import { WAITING } from './session/connection.ts';
import type { SessionEvent } from './session/event.ts';
import type { SessionOptions } from './session/options.ts';
import { Session } from './session/session.ts';
import type { PersistentStore } from './session/store.ts';
import { OK } from './status.ts';
import type { Ring } from './wire/ring.ts';

/** Gets what a board's transport has to report. Never called from within the transport's own methods. */
export interface BoardReceiver {
  handleOpened(): void;
  /** Bytes are there to be `read`. */
  handleReadable(): void;
  /** What was written is on its way, and there is room for more. */
  handleWritable(): void;
  /** Closed, or not opened; `error` says why if it was not the plain end of the stream. */
  handleClosed(error?: unknown): void;
}

/** A transport that keeps what it received until somebody has room for it. */
export interface BoardTransport extends Transport {
  /**
   * Moves what was received and fits to the end of the ring. Returns whether there is more: ask again once there is room,
   * for what is left behind is not reported anew.
   */
  read(ring: Ring): boolean;
}

/** What a line needs of the place it runs in. */
export interface Board {
  /** Milliseconds on a clock that never goes back. */
  nowMs(): number;
  setTimer(callback: () => void, ms: number): unknown;
  /** Takes what `setTimer` returned, gone off or not. */
  clearTimer(timer: unknown): void;
  /** Gives integers, 0 to 4,294,967,295. */
  readonly random: () => number;
  /** Makes a transport that reports to `receiver`. */
  createTransport(receiver: BoardReceiver): BoardTransport;
}

/** Who gets a line's events. */
export interface LineOwner {
  /** An event, alive until this returns; see SessionEvent. */
  handleEvent(event: SessionEvent, nowMs: number): void;
  /**
   * All there was to tell is told, and there may be room again in transmit ring and outbox. Never called from within
   * itself: when what it does makes the line run, it is called once more when it has returned.
   */
  handleIdle(nowMs: number): void;
}

/** Session options of a line; `random` is the board's unless given. */
export type LineOptions = Omit<SessionOptions, 'random'> & { random?: (() => number) | undefined };

/** Timers of boards take no more than 31 bits of milliseconds. */
const TIMER_MS_MAX = 0x7fffffff;

export class Line implements BoardReceiver, EventSink {
  session: Session;
  pump: Pump;
  transport: BoardTransport;
  board: Board;
  owner: LineOwner;
  /** Why the transport closed or did not open, the last time; undefined if it just ended. */
  transportError: unknown;
  /** When the session wants to be called: milliseconds, Infinity for never. */
  deadlineMs: number;
  timer: unknown;
  /** When the timer, if there is one, goes off. */
  timerAtMs: number;
  onTimer: () => void;
  /** Whether the owner wants to hear of it. */
  isIdleWanted: boolean;
  /** The owner is being told that the line is idle; and the line ran meanwhile. */
  isTellingIdle: boolean;
  isIdleAgain: boolean;

  /** Makes the session of `options`, which it does not keep. Throws a coded error that names the first option that is wrong. */
  constructor(board: Board, options: LineOptions, owner: LineOwner) {
    this.board = board;
    this.owner = owner;
    let own = options;
    if (options.random === undefined) {
      own = Object.assign({}, options);
      own.random = board.random;
    }
    this.session = new Session(own as SessionOptions);
    this.transport = board.createTransport(this);
    this.pump = new Pump(this.session, this.transport, this);
    this.transportError = undefined;
    this.deadlineMs = Infinity;
    this.timer = undefined;
    this.timerAtMs = Infinity;
    this.onTimer = (): void => {
      this.handleTimer();
    };
    this.isIdleWanted = true;
    this.isTellingIdle = false;
    this.isIdleAgain = false;
  }

  /**
   * Takes back what an earlier life of this session left in its store: before `connect`. Returns OK, or NO_SPACE when
   * outbox or slots are too small for it.
   */
  restore(store: PersistentStore): number {
    const session = this.session;
    const nowMs = this.board.nowMs();
    let worst = OK;
    store.each((kind, number, bytes) => {
      const status = session.restore(kind, number, bytes, 0, bytes.length, nowMs);
      if (status < worst) worst = status;
    });
    return worst;
  }

  /** Begins to connect, now, if not connected or under way already. Returns OK, or CLOSED after `close`. */
  connect(): number {
    const nowMs = this.board.nowMs();
    const status = this.session.connect(nowMs);
    this.run(nowMs);
    return status;
  }

  /** Has verbs take effect: to be called after each, or after several. Within an event it may be left out. */
  run(nowMs: number): void {
    this.pump.run(nowMs);
    // From within an event: whoever runs the pump goes on.
    if (this.pump.isRunning) return;
    // There may be room in the window for what the transport still holds.
    this.receive(nowMs);
    if (this.isIdleWanted) this.tellIdle(nowMs);
  }

  /** Has a publish that returned 0 take effect: writes, and that is all. Where more is under way, that goes on by itself. */
  send(): void {
    // Within an event, and without a transport, the pump goes on by itself.
    if (!this.pump.isRunning && this.pump.hasTransport) this.transport.write(this.session.transmit);
  }

  /** Tells no events until `resume`: what is received stays where it is, and the server feels it. */
  pause(): void {
    this.pump.pause();
  }

  /** Goes on telling events. */
  resume(nowMs: number): void {
    this.pump.isPaused = false;
    this.run(nowMs);
  }

  /**
   * The network is gone: gives the connection up at once, instead of when a PINGRESP stays away. `error` is what
   * `transportError` will be. The next attempt is due as after any lost connection.
   */
  drop(error: unknown): void {
    const nowMs = this.board.nowMs();
    this.transportError = error;
    // What has arrived has arrived.
    this.receive(nowMs);
    this.session.handleClosed(nowMs);
    this.run(nowMs);
  }

  /**
   * The network is back: connects at once if the next attempt is being waited for. Failures from before say nothing
   * about the server: after the next one the wait is the shortest again.
   */
  retry(): void {
    const state = this.session.state;
    state.attempts = 0;
    if (state.connection === WAITING) this.connect();
  }

  handleOpened(): void {
    const nowMs = this.board.nowMs();
    this.transportError = undefined;
    this.pump.handleOpened(nowMs);
    if (this.isIdleWanted) this.tellIdle(nowMs);
  }

  handleReadable(): void {
    const nowMs = this.board.nowMs();
    this.receive(nowMs);
    if (this.isIdleWanted) this.tellIdle(nowMs);
  }

  handleWritable(): void {
    this.run(this.board.nowMs());
  }

  handleClosed(error?: unknown): void {
    const nowMs = this.board.nowMs();
    this.transportError = error;
    this.receive(nowMs);
    this.pump.handleClosed(nowMs);
    if (this.isIdleWanted) this.tellIdle(nowMs);
  }

  /** Reads and polls in turns until the transport has nothing more, or the window no room. */
  receive(nowMs: number): void {
    if (this.pump.isRunning) return;
    const ring = this.session.receive;
    let hasMore = false;
    do {
      const byteLength = ring.end - ring.start;
      hasMore = this.transport.read(ring);
      if (ring.end - ring.start === byteLength) return;
      this.pump.run(nowMs);
    } while (hasMore);
  }

  /** Calls the owner's `handleIdle`, again as long as that makes the line run: a loop, for boards have small stacks. */
  tellIdle(nowMs: number): void {
    this.isIdleAgain = true;
    if (this.isTellingIdle) return;
    this.isTellingIdle = true;
    try {
      while (this.isIdleAgain && this.isIdleWanted) {
        this.isIdleAgain = false;
        this.owner.handleIdle(nowMs);
      }
    } finally {
      this.isTellingIdle = false;
    }
  }

  /** See LineOwner. */
  handleEvent(event: SessionEvent, nowMs: number): void {
    this.owner.handleEvent(event, nowMs);
  }

  /** Moves the timer only when it would go off too late: one that goes off early costs less than one a message. */
  handleDeadline(atMs: number): void {
    this.deadlineMs = atMs;
    if (atMs < this.timerAtMs) this.startTimer(this.board.nowMs());
  }

  startTimer(nowMs: number): void {
    this.stopTimer();
    if (this.deadlineMs === Infinity) return;
    let ms = Math.ceil(this.deadlineMs - nowMs);
    if (ms < 0) ms = 0;
    if (ms > TIMER_MS_MAX) ms = TIMER_MS_MAX;
    this.timerAtMs = nowMs + ms;
    this.timer = this.board.setTimer(this.onTimer, ms);
  }

  stopTimer(): void {
    if (this.timer !== undefined) this.board.clearTimer(this.timer);
    this.timer = undefined;
    this.timerAtMs = Infinity;
  }

  handleTimer(): void {
    const nowMs = this.board.nowMs();
    this.timer = undefined;
    this.timerAtMs = Infinity;
    try {
      if (this.deadlineMs <= nowMs) {
        this.pump.handleTimeout(nowMs);
        if (this.isIdleWanted) this.tellIdle(nowMs);
      }
    } finally {
      // What an owner throws must not be the end of keep-alive and reconnecting.
      this.deadlineMs = this.session.nextTimeoutMs();
      if (this.deadlineMs < this.timerAtMs) this.startTimer(this.board.nowMs());
    }
  }

  /** Ends for good, without a word to the server; see Session.close. */
  close(): void {
    const nowMs = this.board.nowMs();
    this.session.close(nowMs);
    this.pump.run(nowMs);
    this.stopTimer();
  }
}
