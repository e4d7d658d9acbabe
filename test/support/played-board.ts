/**
 * A board whose clock, transport and server the test plays: packets as plain objects in both directions. What the client
 * sends is decoded as from a client, so that a packet which breaks the standard fails the test that caused it.
 */
import { expect } from 'vitest';
import type { Board, BoardReceiver, BoardTransport } from '../../src/line.ts';
import { decodeObjects, encodeObject } from '../../src/packets/inspect.ts';
import type { PacketObject } from '../../src/packets/inspect.ts';
import { FROM_CLIENT } from '../../src/packets/types.ts';
import type { Ring } from '../../src/wire/ring.ts';
import { PlayedClock } from '../targets/moddable/played-clock.ts';
import { bytesOf, hexOf } from './session-driver.ts';

export class PlayedBoard implements Board, BoardTransport {
  readonly clock = new PlayedClock();
  readonly random = (): number => 0;
  readonly protocolVersion: 4 | 5;
  /** Bytes the transport takes before it is congested. */
  writable = Infinity;
  openings = 0;
  closings = 0;
  isOpen = false;
  private receiver: BoardReceiver | undefined;
  private wire: number[] = [];
  private received: number[] = [];

  constructor(protocolVersion: 4 | 5 = 5) {
    this.protocolVersion = protocolVersion;
  }

  // What a line calls.

  nowMs(): number {
    return this.clock.nowMs;
  }

  setTimer(callback: () => void, ms: number): unknown {
    return this.clock.set(callback, ms);
  }

  clearTimer(timer: unknown): void {
    this.clock.clear(timer as never);
  }

  createTransport(receiver: BoardReceiver): BoardTransport {
    this.receiver = receiver;
    return this;
  }

  open(): void {
    this.openings++;
  }

  write(ring: Ring): void {
    if (!this.isOpen) return;
    const count = Math.min(ring.byteLength(), this.writable);
    for (let i = 0; i < count; i++) this.wire.push(ring.bytes[ring.start + i]);
    ring.consume(count);
    this.writable -= count;
  }

  read(ring: Ring): boolean {
    const count = Math.min(this.received.length, ring.freeByteLength());
    if (count > 0) {
      expect(ring.reserve(count)).toBe(true);
      for (const byte of this.received.splice(0, count)) ring.bytes[ring.end++] = byte;
    }
    return this.received.length > 0;
  }

  close(): void {
    this.closings++;
    this.isOpen = false;
    this.received = [];
  }

  // What the test plays.

  /** Bytes that nobody has read yet. */
  get unread(): number {
    return this.received.length;
  }

  /** The transport opens, and the server answers CONNECT. */
  accept(connack: Partial<Extract<PacketObject, { type: 'CONNACK' }>> = {}): void {
    this.opened();
    expect(this.sent().map(({ type }) => type)).toEqual(['CONNECT']);
    this.send({ type: 'CONNACK', ...connack });
  }

  opened(): void {
    this.isOpen = true;
    this.receiver!.handleOpened();
  }

  /** The server sends packets, in one piece. */
  send(...packets: PacketObject[]): void {
    this.arrive(...packets);
    this.receiver!.handleReadable();
  }

  /** Packets come without anybody being told. */
  arrive(...packets: PacketObject[]): void {
    const { protocolVersion } = this;
    for (const packet of packets) this.received.push(...encodeObject(packet, { protocolVersion }));
  }

  /** The transport is gone. */
  lost(error?: unknown): void {
    this.isOpen = false;
    this.receiver!.handleClosed(error);
  }

  /** The transport is not congested any more. */
  drained(): void {
    this.writable = Infinity;
    this.receiver!.handleWritable();
  }

  /** The whole packets the client has sent since this was last asked. */
  sent(): PacketObject[] {
    const { protocolVersion } = this;
    const { packets, consumed, error } = decodeObjects(Uint8Array.from(this.wire), {
      protocolVersion,
      sender: FROM_CLIENT,
    });
    expect(error).toBeUndefined();
    this.wire = this.wire.slice(consumed);
    return packets;
  }

  sentTypes(): string[] {
    return this.sent().map(({ type }) => type);
  }
}

/** A PUBLISH of the server's. */
export function message(payload: string, qos = 0, packetId = 1, topicName = 't'): PacketObject {
  return {
    type: 'PUBLISH',
    topicName,
    payload: hexOf(payload),
    qos,
    ...(qos > 0 && { packetId }),
  };
}

export { bytesOf, hexOf };
