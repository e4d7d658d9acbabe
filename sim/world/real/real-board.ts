/**
 * A device's hardware in real time: the board of Node with its sockets, timers and clock, which jumps, and power that can go
 * at any moment. Whoever watches the device's end of the wire is shown its bytes in its own order.
 */
import type { BoardReceiver, BoardTransport } from '../../../src/line.ts';
import type { Ring } from '../../../src/wire/ring.ts';
import { NodeBoard } from '../../../targets/node/board.ts';
import type { TransportFactory } from '../../../targets/node/platform.ts';
import type { SimRandom } from '../random.ts';
import { PowerLost, type DeviceBoard } from '../sim-board.ts';
import type { EndWatcher } from '../sim-link.ts';

/** What a board needs of its world. */
export interface BoardSurroundings {
  readonly createTransport: TransportFactory;
  /** It begins to connect: who watches that connection. */
  handleAttempt: () => EndWatcher;
  /** The power goes: its network is to take nothing more from it. */
  handleCut: () => void;
  /** The power went in the middle of something. */
  handlePowerLost: () => void;
  /** Something of the device's threw. */
  handleException: (error: unknown) => void;
}

/** A transport of the board's, with somebody who looks at what passes. */
class WatchedTransport implements BoardTransport {
  private readonly transport: BoardTransport;
  private readonly handleAttempt: () => EndWatcher;
  private watcher: EndWatcher | null = null;

  constructor(board: NodeBoard, receiver: BoardReceiver, handleAttempt: () => EndWatcher) {
    this.handleAttempt = handleAttempt;
    this.transport = board.createTransport({
      handleOpened: () => receiver.handleOpened(),
      handleReadable: () => receiver.handleReadable(),
      handleWritable: () => receiver.handleWritable(),
      handleClosed: (error) => {
        this.watcher?.handleOver();
        receiver.handleClosed(error);
      },
    });
  }

  open(): void {
    this.watcher = this.handleAttempt();
    this.transport.open();
  }

  write(ring: Ring): void {
    const bytes = ring.bytes.slice(ring.start, ring.end);
    this.transport.write(ring);
    const count = bytes.length - ring.byteLength();
    if (count > 0) this.watcher?.handleSent(bytes.subarray(0, count));
    if (ring.byteLength() > 0) this.watcher?.handleBlocked();
  }

  read(ring: Ring): boolean {
    const before = ring.byteLength();
    const hasMore = this.transport.read(ring);
    const count = ring.byteLength() - before;
    if (count > 0) this.watcher?.handleReceived(ring.bytes.subarray(ring.end - count, ring.end));
    return hasMore;
  }

  close(): void {
    this.watcher?.handleOver();
    this.transport.close();
  }
}

export class RealBoard implements DeviceBoard {
  readonly random: () => number;
  private readonly board: NodeBoard;
  private readonly surroundings: BoardSurroundings;
  private readonly transports: WatchedTransport[] = [];
  private readonly timers = new Set<unknown>();
  private jumpedMs = 0;
  private isOn = true;

  constructor(random: SimRandom, surroundings: BoardSurroundings) {
    this.random = () => random.next();
    this.surroundings = surroundings;
    this.board = new NodeBoard(surroundings.createTransport);
  }

  nowMs(): number {
    return this.board.nowMs() + this.jumpedMs;
  }

  jump(ms: number): void {
    this.jumpedMs += ms;
  }

  setTimer(callback: () => void, ms: number): unknown {
    const timer = this.board.setTimer(() => {
      this.timers.delete(timer);
      this.enter(callback);
    }, ms);
    this.timers.add(timer);
    return timer;
  }

  clearTimer(timer: unknown): void {
    this.timers.delete(timer);
    this.board.clearTimer(timer);
  }

  createTransport(receiver: BoardReceiver): BoardTransport {
    const guarded: BoardReceiver = {
      handleOpened: () => this.enter(() => receiver.handleOpened()),
      handleReadable: () => this.enter(() => receiver.handleReadable()),
      handleWritable: () => this.enter(() => receiver.handleWritable()),
      handleClosed: (error) => this.enter(() => receiver.handleClosed(error)),
    };
    const transport = new WatchedTransport(this.board, guarded, this.surroundings.handleAttempt);
    this.transports.push(transport);
    return transport;
  }

  enter(run: () => void): void {
    if (!this.isOn) return;
    try {
      run();
    } catch (error) {
      if (error instanceof PowerLost) {
        this.cut();
        this.surroundings.handlePowerLost();
      } else {
        this.surroundings.handleException(error);
      }
    }
  }

  cut(): void {
    this.isOn = false;
    for (const timer of this.timers) this.board.clearTimer(timer);
    this.timers.clear();
    // First the network: what closes the sockets here must not be heard by anybody.
    this.surroundings.handleCut();
    for (const transport of this.transports) transport.close();
  }
}
