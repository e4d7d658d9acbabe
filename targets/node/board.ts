/**
 * Node as a board: what lines stand on (the callback client, devices), with Node's clock, timers and sockets.
 *
 *   const board = new NodeBoard(transportTo('mqtt://localhost'));
 *   new DeviceRuntime(definition, board, io, { epochMs: Date.now }, null).start();
 */
import { performance } from 'node:perf_hooks';
import type { ClientTransport, TransportReceiver } from '../../src/client/platform.ts';
import type { Board, BoardReceiver, BoardTransport } from '../../src/line.ts';
import type { Ring } from '../../src/wire/ring.ts';
import { systemRandom, type TransportFactory } from './platform.ts';

/** Timers of Node take no more. */
const TIMER_MS_MAX = 0x7fffffff;
const NO_BYTES = new Uint8Array(0);

/** A transport that hands over what it receives, turned into one that keeps it until it is asked. */
class HeldTransport implements BoardTransport, TransportReceiver {
  private readonly receiver: BoardReceiver;
  private readonly transport: ClientTransport;
  /** What was received and not read: `bytes[at]` up to `end`. */
  private bytes: Uint8Array = NO_BYTES;
  private at = 0;
  private end = 0;
  /** `bytes` is the transport's, for as long as it hands them over. */
  private isLent = false;
  private isPaused = false;

  constructor(receiver: BoardReceiver, createTransport: TransportFactory) {
    this.receiver = receiver;
    this.transport = createTransport(this);
  }

  open(): void {
    this.drop();
    this.transport.open();
  }

  write(ring: Ring): void {
    this.transport.write(ring);
  }

  close(): void {
    this.drop();
    this.transport.close();
  }

  read(ring: Ring): boolean {
    const count = Math.min(this.end - this.at, ring.freeByteLength());
    if (count > 0 && ring.reserve(count)) {
      ring.bytes.set(this.bytes.subarray(this.at, this.at + count), ring.end);
      ring.end += count;
      this.at += count;
    }
    if (this.at < this.end) return true;
    this.drop();
    if (this.isPaused) {
      this.isPaused = false;
      this.transport.resumeReading();
    }
    return false;
  }

  handleOpened(): void {
    this.isPaused = false;
    this.receiver.handleOpened();
  }

  handleBytes(bytes: Uint8Array, at: number, end: number): void {
    if (this.at < this.end) {
      // Paused transports may still have some on the way.
      this.bytes = Buffer.concat([this.bytes.subarray(this.at, this.end), bytes.subarray(at, end)]);
      this.at = 0;
      this.end = this.bytes.length;
    } else {
      this.isLent = true;
      this.bytes = bytes;
      this.at = at;
      this.end = end;
    }
    this.receiver.handleReadable();
    if (this.at === this.end) return;
    if (this.isLent) this.own();
    if (this.isPaused) return;
    this.isPaused = true;
    this.transport.pauseReading();
  }

  handleWritable(): void {
    this.receiver.handleWritable();
  }

  handleClosed(error?: Error): void {
    this.isPaused = false;
    this.receiver.handleClosed(error);
  }

  /** Copies what is lent: the lender wants it back. */
  private own(): void {
    this.bytes = this.bytes.slice(this.at, this.end);
    this.at = 0;
    this.end = this.bytes.length;
    this.isLent = false;
  }

  private drop(): void {
    this.bytes = NO_BYTES;
    this.at = 0;
    this.end = 0;
    this.isLent = false;
  }
}

export class NodeBoard implements Board {
  readonly random = systemRandom;
  private readonly factory: TransportFactory;

  /** @param factory Makes transports to the server: `transportTo(url)`. */
  constructor(factory: TransportFactory) {
    this.factory = factory;
  }

  nowMs(): number {
    return performance.now();
  }

  setTimer(callback: () => void, ms: number): unknown {
    return setTimeout(callback, Math.min(ms, TIMER_MS_MAX));
  }

  clearTimer(timer: unknown): void {
    clearTimeout(timer as NodeJS.Timeout);
  }

  createTransport(receiver: BoardReceiver): BoardTransport {
    return new HeldTransport(receiver, this.factory);
  }
}
