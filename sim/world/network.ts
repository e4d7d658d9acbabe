/**
 * A TCP connection as a device and a server see it: bytes arrive in order, in pieces of any size, late, or never; either end
 * learns of the end of it, or does not. Knows nothing of MQTT.
 */
import type { EventQueue } from './events.ts';
import type { SimRandom } from './random.ts';

/** How a network is. Times in milliseconds. */
export interface Conditions {
  latencyMs: number;
  /** Added to it, drawn anew for each piece. */
  jitterMs: number;
  bytesPerMs: number;
  /** Of a thousand writes, how many arrive in several pieces. */
  fragmentPerMille: number;
  /** Bytes on their way before a sender has to wait. */
  windowBytes: number;
}

/** Bytes of a TCP segment at most: the beginning of a large write arrives before its end. */
const SEGMENT_BYTES_MAX = 1460;

export const GOOD: Conditions = {
  latencyMs: 2,
  jitterMs: 0,
  bytesPerMs: 10_000,
  fragmentPerMille: 0,
  windowBytes: 65_536,
};

/** Who gets what a pipe brings. */
export interface PipeEnd {
  handleBytes(bytes: Uint8Array): void;
  /** The other end closed, and everything before that has arrived; or the connection broke. */
  handleClosed(isReset: boolean): void;
}

/** One direction of a connection. */
export class Pipe {
  private readonly events: EventQueue;
  private readonly random: SimRandom;
  private readonly conditions: Conditions;
  private readonly end: PipeEnd;
  /** What waits to be sent, and whom to tell when all of it is under way. */
  private waiting: Uint8Array | null = null;
  private onTaken: (() => void) | null = null;
  private onRoom: (() => void) | null = null;
  private bytesUnderWay = 0;
  /** When the last piece has left, and when it arrives. */
  private leftMs = 0;
  private lastArrivalMs = 0;
  /** Until when nothing arrives. */
  private stalledUntilMs = 0;
  /** What was sent and not delivered, the first `arrivedCount` of it at a reader that does not read. */
  private pieces: (Uint8Array | null)[] = [];
  private arrivedCount = 0;
  private isPaused = false;
  private isClosing = false;
  /** Nothing arrives any more, and nobody is told. */
  private isDead = false;

  constructor(events: EventQueue, random: SimRandom, conditions: Conditions, end: PipeEnd) {
    this.events = events;
    this.random = random;
    this.conditions = conditions;
    this.end = end;
  }

  /** Bytes that may be sent now. */
  room(): number {
    return this.waiting === null ? Math.max(0, this.conditions.windowBytes - this.bytesUnderWay) : 0;
  }

  /** Has `onRoom` called, later and once, when there is room again. */
  awaitRoom(onRoom: () => void): void {
    this.onRoom = onRoom;
  }

  /** Sends a copy of `bytes` as the network takes them; `onTaken` is called, later, when it has taken all. */
  send(bytes: Uint8Array, onTaken: (() => void) | null): void {
    this.waiting = bytes.slice();
    this.onTaken = onTaken;
    this.pushOn();
  }

  private pushOn(): void {
    const { waiting } = this;
    if (waiting === null) return;
    // A network that is gone takes what its window holds and nothing more.
    const room = this.conditions.windowBytes - this.bytesUnderWay;
    if (room <= 0) return;
    const taken = waiting.subarray(0, room);
    this.waiting = taken.length < waiting.length ? waiting.subarray(room) : null;
    this.bytesUnderWay += taken.length;
    this.scatter(taken);
    if (this.waiting !== null) return;
    const { onTaken } = this;
    this.onTaken = null;
    if (onTaken !== null) this.events.in(0, onTaken);
    if (this.isClosing) this.sendPiece(null);
  }

  /** Cuts a write into pieces, none larger than a segment, and sends them off. */
  private scatter(bytes: Uint8Array): void {
    let at = 0;
    const isCut = this.random.isChance(this.conditions.fragmentPerMille);
    while (at < bytes.length) {
      const rest = bytes.length - at;
      const byteLength = Math.min(SEGMENT_BYTES_MAX, isCut ? this.random.between(1, rest) : rest);
      this.sendPiece(bytes.subarray(at, at + byteLength));
      at += byteLength;
    }
  }

  /** Null says that the sender closed. */
  private sendPiece(piece: Uint8Array | null): void {
    this.pieces.push(piece);
    this.events.at(this.arrivalOf(piece?.length ?? 0), this.onArrival);
  }

  private arrivalOf(byteLength: number): number {
    const { latencyMs, jitterMs, bytesPerMs } = this.conditions;
    // One piece leaves behind the other, each in its time.
    this.leftMs = Math.max(this.leftMs, this.events.nowMs) + Math.ceil(byteLength / bytesPerMs);
    const arrivalMs = this.leftMs + latencyMs + this.random.below(jitterMs + 1);
    this.lastArrivalMs = Math.max(this.lastArrivalMs, arrivalMs, this.stalledUntilMs);
    return this.lastArrivalMs;
  }

  /** A piece arrives, whichever is the next: so they stay in order however late some are. */
  private readonly onArrival = (): void => {
    if (this.isDead) return;
    if (this.stalledUntilMs > this.events.nowMs) {
      this.events.at(this.stalledUntilMs, this.onArrival);
      return;
    }
    this.arrivedCount++;
    this.release();
  };

  /** Delivers what has arrived, as long as somebody reads. */
  private release(): void {
    while (this.arrivedCount > 0 && !this.isPaused && !this.isDead) {
      this.arrivedCount--;
      const piece = this.pieces.shift() ?? null;
      if (piece === null) this.finish();
      else this.deliver(piece);
    }
  }

  private deliver(bytes: Uint8Array): void {
    this.bytesUnderWay -= bytes.length;
    this.end.handleBytes(bytes);
    this.pushOn();
    const { onRoom } = this;
    if (onRoom === null || this.room() === 0) return;
    this.onRoom = null;
    this.events.in(0, onRoom);
  }

  pause(): void {
    this.isPaused = true;
  }

  /** Delivers what has arrived meanwhile, later. */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.events.in(0, () => this.release());
  }

  /** Nothing arrives for `ms`; then all of it. */
  stall(ms: number): void {
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.events.nowMs + ms);
  }

  /** The sender is done: the other end learns of it behind the last byte, unless `isLost`. */
  close(isLost: boolean): void {
    if (this.isClosing) return;
    this.isClosing = true;
    if (isLost) this.isDead = true;
    else if (this.waiting === null) this.sendPiece(null);
  }

  /** The connection breaks: the reader is told after `ms`, and what is under way is lost. */
  reset(ms: number): void {
    if (this.isDead) return;
    this.isDead = true;
    this.pieces = [];
    this.waiting = null;
    this.events.in(ms, () => this.end.handleClosed(true));
  }

  /** Nothing arrives any more, and nobody is told. */
  kill(): void {
    this.isDead = true;
    this.pieces = [];
  }

  private finish(): void {
    this.isDead = true;
    this.end.handleClosed(false);
  }
}
