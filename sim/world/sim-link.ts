/**
 * A connection in the world: two pipes, a device's transport at one end, a broker's link at the other, and the faults that
 * befall it. Both ends note their bytes in order for those who check them.
 */
import type { BoardReceiver, BoardTransport } from '../../src/line.ts';
import type { Ring } from '../../src/wire/ring.ts';
import type { Link, Origin } from '../broker/link.ts';
import type { EventQueue } from './events.ts';
import { Pipe, type Conditions } from './network.ts';
import type { SimRandom } from './random.ts';

/** What a broker gave for a link. */
export interface ServerEnd {
  receive(bytes: Uint8Array): void;
  handleWritten(): void;
  handleClose(): void;
}

/** Who watches one end: bytes in the order in which that end sent and received them. */
export interface EndWatcher {
  handleSent: (bytes: Uint8Array) => void;
  handleReceived: (bytes: Uint8Array) => void;
  /** What there is to send waits for the network. */
  handleBlocked: () => void;
  handleOver: () => void;
}

export class SimConnection implements Link {
  readonly origin: Origin;
  readonly toServer: Pipe;
  readonly toDevice: Pipe;
  private readonly events: EventQueue;
  private readonly watcher: EndWatcher;
  private readonly serverWatcher: EndWatcher;
  private server: ServerEnd | null = null;
  /** Null once the device has closed, or lost its power. */
  private receiver: BoardReceiver | null;
  private received: Uint8Array[] = [];
  private receivedByteLength = 0;
  private isServerOver = false;
  /** The closing of either side does not reach the other. */
  private isClosingLost = false;

  constructor(
    events: EventQueue,
    random: SimRandom,
    conditions: Conditions,
    remoteAddress: string,
    receiver: BoardReceiver,
    watcher: EndWatcher,
    serverWatcher: EndWatcher,
  ) {
    this.origin = { transport: 'tcp', remoteAddress, certificateName: null };
    this.events = events;
    this.receiver = receiver;
    this.watcher = watcher;
    this.serverWatcher = serverWatcher;
    this.toServer = new Pipe(events, random, conditions, {
      handleBytes: (bytes) => {
        this.serverWatcher.handleReceived(bytes);
        this.server?.receive(bytes);
      },
      handleClosed: () => this.endServer(),
    });
    this.toDevice = new Pipe(events, random, conditions, {
      handleBytes: (bytes) => this.handleBytes(bytes),
      handleClosed: (isReset) => this.endDevice(isReset ? 'reset' : undefined),
    });
  }

  /** The server accepted. */
  accept(server: ServerEnd): void {
    this.server = server;
    this.receiver?.handleOpened();
  }

  /** Nobody listens. */
  refuse(): void {
    this.endDevice('refused');
  }

  // --- The server's end, as its broker sees it ---------------------------------------------------------------------

  write(bytes: Uint8Array): void {
    this.serverWatcher.handleSent(bytes);
    this.toDevice.send(bytes, () => {
      if (!this.isServerOver) this.server?.handleWritten();
    });
  }

  pause(): void {
    this.toServer.pause();
  }

  resume(): void {
    this.toServer.resume();
  }

  end(): void {
    this.toDevice.close(this.isClosingLost);
    this.events.in(0, () => this.endServer());
  }

  destroy(): void {
    this.toServer.kill();
    this.toDevice.reset(1);
    this.events.in(0, () => this.endServer());
  }

  private endServer(): void {
    if (this.isServerOver) return;
    this.isServerOver = true;
    this.toServer.kill();
    this.serverWatcher.handleOver();
    this.server?.handleClose();
  }

  // --- The device's end --------------------------------------------------------------------------------------------

  private handleBytes(bytes: Uint8Array): void {
    if (this.receiver === null) return;
    this.received.push(bytes);
    this.receivedByteLength += bytes.length;
    this.receiver.handleReadable();
    if (this.receivedByteLength > 0) this.toDevice.pause();
  }

  /** Moves what was received to a ring, as BoardTransport says. */
  read(ring: Ring): boolean {
    while (this.received.length > 0) {
      const bytes = this.received[0];
      const count = Math.min(bytes.length, ring.freeByteLength());
      if (count === 0 || !ring.reserve(count)) return true;
      ring.bytes.set(bytes.subarray(0, count), ring.end);
      ring.end += count;
      this.receivedByteLength -= count;
      this.watcher.handleReceived(bytes.subarray(0, count));
      if (count < bytes.length) this.received[0] = bytes.subarray(count);
      else this.received.shift();
    }
    this.toDevice.resume();
    return false;
  }

  /** Takes what the network takes. */
  writeFrom(ring: Ring): void {
    const count = Math.min(this.toServer.room(), ring.byteLength());
    const onWritable = (): void => this.receiver?.handleWritable();
    if (count > 0) {
      const bytes = ring.bytes.subarray(ring.start, ring.start + count);
      this.watcher.handleSent(bytes);
      this.toServer.send(bytes, count === ring.byteLength() ? onWritable : null);
      ring.consume(count);
    }
    if (ring.byteLength() === 0) return;
    this.watcher.handleBlocked();
    this.toServer.awaitRoom(onWritable);
  }

  /** The device closes. */
  closeDevice(): void {
    this.receiver = null;
    this.watcher.handleOver();
    this.toDevice.kill();
    this.toServer.close(this.isClosingLost);
  }

  private endDevice(error: string | undefined): void {
    const { receiver } = this;
    if (receiver === null) return;
    this.receiver = null;
    this.watcher.handleOver();
    receiver.handleClosed(error);
    // A peer that closed hears the same from us.
    this.toServer.close(this.isClosingLost);
  }

  // --- Faults ------------------------------------------------------------------------------------------------------

  get isOpen(): boolean {
    return this.receiver !== null && this.server !== null && !this.isServerOver;
  }

  /** Breaks it: each end is told in its own time. */
  reset(deviceMs: number, serverMs: number): void {
    this.toDevice.reset(deviceMs);
    this.toServer.reset(serverMs);
  }

  /** Lets nothing through any more, and tells nobody. */
  kill(): void {
    this.toDevice.kill();
    this.toServer.kill();
  }

  loseClosing(): void {
    this.isClosingLost = true;
  }

  /** Nothing arrives for a while, at the device, or the server, or both. */
  stall(ms: number, where: 'both' | 'device' | 'server'): void {
    if (where !== 'server') this.toDevice.stall(ms);
    if (where !== 'device') this.toServer.stall(ms);
  }

  /** The device has no power: it hears nothing, and says nothing more; what it sent goes on. */
  cutDevice(): void {
    this.receiver = null;
    this.watcher.handleOver();
    this.toDevice.kill();
  }

  /** The server's process is gone: `isTold` says whether its machine tells the device. */
  cutServer(isTold: boolean): void {
    this.isServerOver = true;
    this.server = null;
    this.serverWatcher.handleOver();
    this.toServer.kill();
    if (isTold) this.toDevice.reset(1);
    else this.toDevice.kill();
  }
}

/** A device's transport: one connection after another. */
export class SimTransport implements BoardTransport {
  private readonly receiver: BoardReceiver;
  private readonly dial: (receiver: BoardReceiver) => SimConnection | null;
  connection: SimConnection | null = null;

  /** `dial` begins a connection, or reports by the receiver, later, that there is none; then it returns null. */
  constructor(receiver: BoardReceiver, dial: (receiver: BoardReceiver) => SimConnection | null) {
    this.receiver = receiver;
    this.dial = dial;
  }

  open(): void {
    const guard: BoardReceiver = {
      handleOpened: () => this.receiver.handleOpened(),
      handleReadable: () => this.receiver.handleReadable(),
      handleWritable: () => this.receiver.handleWritable(),
      handleClosed: (error) => {
        if (this.current !== guard) return;
        this.receiver.handleClosed(error);
        if (this.current === guard) this.connection = null;
      },
    };
    this.current = guard;
    this.connection = this.dial(guard);
  }

  /** Who is told of the connection there is; others are told nothing. */
  private current: BoardReceiver | null = null;

  write(ring: Ring): void {
    this.connection?.writeFrom(ring);
  }

  read(ring: Ring): boolean {
    return this.connection?.read(ring) ?? false;
  }

  close(): void {
    this.current = null;
    this.connection?.closeDevice();
    this.connection = null;
  }
}
