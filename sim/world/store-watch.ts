/**
 * A device's store with somebody beside it who notes what it was asked to keep: so that what leaves a device can be compared
 * with what it would know after a power cut, and what the store has after one with what it promised. Changes nothing of what
 * the store does.
 */
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import type { DeviceStore } from './sim-device.ts';

/** How far a message came: bytes of a STORED_PROGRESS record. */
interface Progress {
  packetId: number;
  isReleased: boolean;
}

interface Kept {
  readonly kind: number;
  readonly number: number;
  readonly bytes: Uint8Array;
}

type Records = Map<number, Kept>;
/** Of each record all that it may be. */
type Uncertain = Map<number, Kept[]>;

export class StoreWatch implements DeviceStore {
  /** What was put or removed, in all lives; what was refused counts. */
  writes = 0;
  private readonly store: DeviceStore;
  private readonly report: (rule: string, text: string) => void;
  /** What the store has to have. */
  private records: Records = new Map();
  /** What it may have besides, or instead: what the power went in the middle of, and what it may still forget. */
  private uncertain: Uncertain = new Map();
  /** Received identifiers of a session that is no more. */
  private readonly stale = new Set<number>();
  /** Tickets of messages that are under way, by packet identifier. */
  private readonly tickets = new Map<number, number>();

  constructor(store: DeviceStore, report: (rule: string, text: string) => void) {
    this.store = store;
    this.report = report;
  }

  /** Whether a record is kept. */
  has(kind: number, number: number): boolean {
    return this.records.has(keyOf(kind, number));
  }

  /** Progress of the message that is under way as `packetId`, or undefined. */
  progressOf(packetId: number): Progress | undefined {
    const ticket = this.tickets.get(packetId);
    const kept = ticket === undefined ? undefined : this.records.get(keyOf(STORED_PROGRESS, ticket));
    return kept === undefined ? undefined : progressIn(kept.bytes);
  }

  /** Records of all kinds. */
  get size(): number {
    return this.records.size;
  }

  /**
   * The server has made the session anew: the identifiers that are kept, and `others` that the client holds, are of one that
   * is no more. Where it never learns of that, or the power goes before all are removed, some stay, and do no harm.
   */
  handleNewSession(others: readonly number[]): void {
    for (const { kind, number } of this.records.values())
      if (kind === STORED_RECEIVED) this.stale.add(number);
    for (const packetId of others) this.stale.add(packetId);
  }

  /** Whether a received identifier is of a session that is no more. */
  isStale(packetId: number): boolean {
    return this.stale.has(packetId);
  }

  /** Records but those that may stay. */
  get restCount(): number {
    let count = 0;
    for (const { kind, number } of this.records.values()) {
      if (kind !== STORED_RECEIVED || !this.stale.has(number)) count++;
    }
    return count;
  }

  /** The power goes, and comes back: looks at what is there then. */
  checkKept(): void {
    this.revive();
    this.each(() => undefined);
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    this.writes++;
    const kept = { kind, number, bytes: bytes.slice(at, at + byteLength) };
    const key = keyOf(kind, number);
    // Where the power goes meanwhile it may be there.
    const before = this.uncertain.get(key) ?? [];
    this.uncertain.set(key, [...before, kept]);
    if (kind === STORED_RECEIVED) this.stale.delete(number);
    const isKept = this.store.put(kind, number, bytes, at, byteLength);
    if (isKept) {
      // It is lasting, and so is everything before it.
      this.uncertain.clear();
      this.note(kept);
    } else if (before.length > 0) {
      this.uncertain.set(key, before);
    } else {
      this.uncertain.delete(key);
    }
    return isKept;
  }

  private note(kept: Kept): void {
    const { kind, number, bytes } = kept;
    this.records.set(keyOf(kind, number), kept);
    if (kind === STORED_PROGRESS) this.tickets.set(progressIn(bytes).packetId, number);
  }

  remove(kind: number, number: number): boolean {
    this.writes++;
    const key = keyOf(kind, number);
    const kept = this.records.get(key);
    // From here on it may be gone, and may come back.
    if (kept !== undefined) this.uncertain.set(key, [...(this.uncertain.get(key) ?? []), kept]);
    this.records.delete(key);
    if (kind === STORED_PROGRESS && kept !== undefined) {
      const { packetId } = progressIn(kept.bytes);
      if (this.tickets.get(packetId) === number) this.tickets.delete(packetId);
    }
    const isRemoved = this.store.remove(kind, number);
    if (isRemoved && kind === STORED_RECEIVED) this.uncertain.delete(key);
    return isRemoved;
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    const { records, uncertain } = this;
    // What is removed meanwhile may be gone, and may come back.
    const removed: Uncertain = new Map();
    const missing = new Map(records);
    this.records = new Map();
    this.uncertain = removed;
    this.tickets.clear();
    try {
      this.store.each((kind, number, bytes) => {
        const found = { kind, number, bytes: bytes.slice() };
        missing.delete(keyOf(kind, number));
        this.checkFound(found, records, uncertain);
        // What the power went in the middle of is there or is not: this says which.
        this.note(found);
        visit(kind, number, bytes);
      });
    } catch (error) {
      // The power went again: nothing more is known than before.
      for (const [key, list] of removed) uncertain.set(key, [...(uncertain.get(key) ?? []), ...list]);
      for (const key of removed.keys()) records.delete(key);
      this.records = records;
      this.uncertain = uncertain;
      throw error;
    }
    for (const { kind, number } of missing.values()) {
      this.report('store-lost', `${nameOf(kind, number)} was kept, and is not there`);
    }
  }

  private checkFound(found: Kept, records: Records, uncertain: Uncertain): void {
    const { kind, number, bytes } = found;
    const key = keyOf(kind, number);
    const kept = records.get(key);
    const candidates = kept === undefined ? [] : [kept];
    candidates.push(...(uncertain.get(key) ?? []));
    if (candidates.some((candidate) => isEqual(candidate.bytes, bytes))) return;
    const problem = candidates.length > 0 ? 'not as it was kept' : 'was not kept';
    this.report('store-made-up', `${nameOf(kind, number)} is there, and ${problem}`);
  }

  revive(): void {
    this.store.revive();
  }

  cutAfter(operations: number): void {
    this.store.cutAfter(operations);
  }

  setFailing(isFailing: boolean): void {
    this.store.setFailing(isFailing);
  }
}

function keyOf(kind: number, number: number): number {
  return kind * 4294967296 + number;
}

function progressIn(bytes: Uint8Array): Progress {
  return { packetId: (bytes[0] << 8) | bytes[1], isReleased: bytes[2] === 1 };
}

function nameOf(kind: number, number: number): string {
  const what = kind === STORED_MESSAGE ? 'message' : kind === STORED_PROGRESS ? 'progress of' : 'identifier';
  return `${what} ${number}`;
}

function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
