/**
 * A device's store with somebody beside it who notes what it holds: so that what leaves a device can be compared with what
 * it would know after a power cut. Changes nothing of what the store does.
 */
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import type { DeviceStore } from './sim-device.ts';

/** How far a message came: bytes of a STORED_PROGRESS record. */
interface Progress {
  packetId: number;
  isReleased: boolean;
}

export class StoreWatch implements DeviceStore {
  /** Tickets of messages that are kept. */
  readonly messages = new Set<number>();
  /** Received packet identifiers that are kept. */
  readonly received = new Set<number>();
  private readonly progress = new Map<number, Progress>();
  private readonly tickets = new Map<number, number>();
  private readonly store: DeviceStore;

  constructor(store: DeviceStore) {
    this.store = store;
  }

  /** Progress of the message that is under way as `packetId`, or undefined. */
  progressOf(packetId: number): Progress | undefined {
    const ticket = this.tickets.get(packetId);
    return ticket === undefined ? undefined : this.progress.get(ticket);
  }

  /** Records of all kinds. */
  get size(): number {
    return this.messages.size + this.progress.size + this.received.size;
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    if (!this.store.put(kind, number, bytes, at, byteLength)) return false;
    this.note(kind, number, bytes, at);
    return true;
  }

  private note(kind: number, number: number, bytes: Uint8Array, at: number): void {
    if (kind === STORED_MESSAGE) this.messages.add(number);
    else if (kind === STORED_RECEIVED) this.received.add(number);
    else if (kind === STORED_PROGRESS) {
      const packetId = (bytes[at] << 8) | bytes[at + 1];
      this.progress.set(number, { packetId, isReleased: bytes[at + 2] === 1 });
      this.tickets.set(packetId, number);
    }
  }

  remove(kind: number, number: number): void {
    this.store.remove(kind, number);
    if (kind === STORED_MESSAGE) this.messages.delete(number);
    else if (kind === STORED_RECEIVED) this.received.delete(number);
    else if (kind === STORED_PROGRESS) {
      const packetId = this.progress.get(number)?.packetId ?? 0;
      if (this.tickets.get(packetId) === number) this.tickets.delete(packetId);
      this.progress.delete(number);
    }
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    this.messages.clear();
    this.received.clear();
    this.progress.clear();
    this.tickets.clear();
    // What the power went in the middle of is there or is not: this says which.
    this.store.each((kind, number, bytes) => {
      this.note(kind, number, bytes, 0);
      visit(kind, number, bytes);
    });
  }

  revive(): void {
    this.store.revive();
  }

  cutAfter(writes: number): void {
    this.store.cutAfter(writes);
  }

  setFailing(isFailing: boolean): void {
    this.store.setFailing(isFailing);
  }
}
