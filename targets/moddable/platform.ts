/**
 * A board as a platform for the promise client: its line's transport, which keeps what it received until it is asked,
 * turned into one that hands it over. No buffers of its own but one to read into.
 */
import type { ClientTransport, Deferred, Platform, TransportReceiver } from '../../src/client/platform.ts';
import { TopicNames } from '../../src/client/topic-names.ts';
import type { Board, BoardReceiver, BoardTransport } from '../../src/line.ts';
import { Packet } from '../../src/packets/packet.ts';
import { SessionEvent } from '../../src/session/event.ts';
import { Ring } from '../../src/wire/ring.ts';

/** A transport error as the client wants it. */
function asError(error: unknown): Error | undefined {
  return error === undefined || error instanceof Error ? error : new Error('the socket failed');
}

class PushTransport implements ClientTransport, BoardReceiver {
  bytesOut = 0;
  bytesIn = 0;
  private readonly receiver: TransportReceiver;
  private readonly board: Board;
  private readonly transport: BoardTransport;
  private readonly ring: Ring;
  private isPaused = false;
  private timer: unknown = undefined;

  constructor(receiver: TransportReceiver, board: Board, readBytes: number) {
    this.receiver = receiver;
    this.board = board;
    this.ring = new Ring(new Uint8Array(readBytes));
    this.transport = board.createTransport(this);
  }

  open(): void {
    this.stopTimer();
    this.isPaused = false;
    this.transport.open();
  }

  write(ring: Ring): void {
    const before = ring.byteLength();
    this.transport.write(ring);
    this.bytesOut += before - ring.byteLength();
  }

  close(): void {
    this.stopTimer();
    this.transport.close();
  }

  pauseReading(): void {
    this.isPaused = true;
  }

  /** Goes on after the call that this comes from, whosever it is. */
  resumeReading(): void {
    this.isPaused = false;
    this.timer ??= this.board.setTimer(() => {
      this.timer = undefined;
      this.handleReadable();
    }, 0);
  }

  handleOpened(): void {
    this.receiver.handleOpened();
  }

  handleReadable(): void {
    const { ring } = this;
    while (!this.isPaused) {
      this.transport.read(ring);
      const { start, end } = ring;
      if (start === end) return;
      // The receiver may close, and open anew, in the middle of it.
      ring.clear();
      this.bytesIn += end - start;
      this.receiver.handleBytes(ring.bytes, start, end);
    }
  }

  handleWritable(): void {
    this.receiver.handleWritable();
  }

  handleClosed(error?: unknown): void {
    this.stopTimer();
    this.receiver.handleClosed(asError(error));
  }

  private stopTimer(): void {
    if (this.timer !== undefined) this.board.clearTimer(this.timer);
    this.timer = undefined;
  }
}

export class BoardPlatform implements Platform {
  readonly packet = new Packet();
  readonly event = new SessionEvent(this.packet);
  readonly topicNames = new TopicNames(16);
  readonly random: () => number;
  isPolling = false;
  private readonly board: Board;
  private readonly readBytes: number;
  private waiting: Deferred[] = [];
  private readonly turned = Promise.resolve();

  /** @param readBytes Bytes that a transport reads at a time, 64 at least. */
  constructor(board: Board, readBytes: number) {
    this.board = board;
    this.random = board.random;
    this.readBytes = readBytes;
  }

  nowMs(): number {
    return this.board.nowMs();
  }

  setTimer(callback: () => void, ms: number): unknown {
    return this.board.setTimer(callback, ms);
  }

  clearTimer(timer: unknown): void {
    this.board.clearTimer(timer);
  }

  defer(deferred: Deferred): void {
    this.waiting.push(deferred);
    if (this.waiting.length === 1) void this.turned.then(this.flush);
  }

  createTransport(receiver: TransportReceiver): ClientTransport {
    return new PushTransport(receiver, this.board, this.readBytes);
  }

  private readonly flush = (): void => {
    const due = this.waiting;
    this.waiting = [];
    for (const deferred of due) deferred.flush();
  };
}
