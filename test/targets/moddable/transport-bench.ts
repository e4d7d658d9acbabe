/**
 * A socket transport on a played network and clock, with a diary of what it reports: from within its own methods nothing
 * may be.
 */
import { expect } from 'vitest';
import type { BoardReceiver } from '../../../src/line.ts';
import { Ring } from '../../../src/wire/ring.ts';
import { SocketTransport } from '../../../targets/moddable/socket-transport.ts';
import type { SocketOptions } from '../../../targets/moddable/socket-transport.ts';
import { PlayedClock } from './played-clock.ts';
import { PlayedNetwork } from './played-network.ts';
import type { PlayedSocket } from './played-network.ts';

export function ringOf(bytes: Iterable<number>, capacity = 256): Ring {
  const ring = new Ring(new Uint8Array(capacity));
  for (const byte of bytes) ring.bytes[ring.end++] = byte;
  return ring;
}

export function contentOf(ring: Ring): number[] {
  return [...ring.bytes.subarray(ring.start, ring.end)];
}

export function count(from: number, length: number): number[] {
  return Array.from({ length }, (_, i) => (from + i) & 255);
}

export class Bench implements BoardReceiver {
  readonly network: PlayedNetwork;
  readonly clock: PlayedClock;
  readonly transport: SocketTransport;
  readonly diary: string[] = [];
  errors: unknown[] = [];
  onReport: ((what: string) => void) | undefined;
  private isInside = false;

  /** @param options Besides those of a broker on port 1883, to be found by a resolver. */
  constructor(network: PlayedNetwork, clock: PlayedClock, options: Partial<SocketOptions> = {}) {
    this.network = network;
    this.clock = clock;
    this.transport = new SocketTransport(
      this,
      {
        host: 'broker',
        port: 1883,
        socket: { io: network.TCP },
        dns: { io: network.Resolver as never, servers: ['10.0.0.53'] },
        ...options,
      },
      {
        setTimer: (callback, ms) => clock.set(callback, ms),
        clearTimer: (timer) => clock.clear(timer as never),
      },
    );
  }

  inside<T>(call: () => T): T {
    this.isInside = true;
    try {
      return call();
    } finally {
      this.isInside = false;
    }
  }

  open(): void {
    this.inside(() => this.transport.open());
  }

  close(): void {
    this.inside(() => this.transport.close());
  }

  write(ring: Ring): void {
    this.inside(() => this.transport.write(ring));
  }

  read(ring: Ring): void {
    this.inside(() => this.transport.read(ring));
  }

  /** Opened, with an empty diary. */
  opened(): PlayedSocket {
    this.open();
    this.network.run();
    expect(this.take()).toEqual(['opened']);
    return this.network.socket;
  }

  take(): string[] {
    return this.diary.splice(0);
  }

  private report(what: string): void {
    expect(this.isInside, `${what} from within a method`).toBe(false);
    this.diary.push(what);
    this.onReport?.(what);
  }

  handleOpened(): void {
    this.report('opened');
  }

  handleReadable(): void {
    this.report('readable');
  }

  handleWritable(): void {
    this.report('writable');
  }

  handleClosed(error?: unknown): void {
    this.errors.push(error);
    this.report('closed');
  }
}
