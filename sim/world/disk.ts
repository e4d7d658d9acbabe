/**
 * A disk with the two files of a log store, as a file system in front of a cache keeps it: what is written can be read at
 * once, but is on the disk only after a sync. When the power goes, of what was not synced any part may be there, in any
 * order, and torn. Knows nothing of what is in the files.
 */
import type { LogFiles } from '../../targets/node/log-store.ts';
import type { Power } from './power.ts';

export type DiskOperation = 'open' | 'write' | 'truncate' | 'sync' | 'replace' | 'syncNames';

/** Thrown by what `failing` names. */
export class DiskFailure extends Error {
  constructor(operation: DiskOperation) {
    super(`the disk fails: ${operation}`);
    this.name = 'DiskFailure';
  }
}

/** One thing that was done to a file: bytes written at a place, or all behind a place cut off. */
interface Change {
  at: number;
  /** Null to cut off. */
  bytes: Uint8Array | null;
}

/** Bytes that grow. */
class Content {
  private bytes = new Uint8Array(1024);
  byteLength = 0;

  apply({ at, bytes }: Change): void {
    const end = bytes === null ? at : at + bytes.length;
    if (end > this.bytes.length) {
      const larger = new Uint8Array(end * 2);
      larger.set(this.bytes.subarray(0, this.byteLength));
      this.bytes = larger;
    }
    // What lies between the end and what is written behind it reads as zeros.
    if (end > this.byteLength) this.bytes.fill(0, this.byteLength, end);
    if (bytes === null) this.byteLength = Math.min(end, this.byteLength);
    else {
      this.bytes.set(bytes, at);
      this.byteLength = Math.max(end, this.byteLength);
    }
  }

  /** The byte at `at`; 0 behind the end. */
  byteAt(at: number): number {
    return at < this.byteLength ? this.bytes[at] : 0;
  }

  copy(): Uint8Array {
    return this.bytes.slice(0, this.byteLength);
  }
}

class SimFile {
  cached = new Content();
  durable = new Content();
  /** What was done to it since it was synced. */
  pending: Change[] = [];

  change(change: Change): void {
    this.cached.apply(change);
    this.pending.push(change);
  }

  /** Is as the disk has it. */
  reread(): void {
    this.pending = [];
    this.cached = new Content();
    this.cached.apply({ at: 0, bytes: this.durable.copy() });
  }
}

export class SimDisk implements LogFiles {
  readonly power: Power;
  /** Operations that throw. Writing then leaves half of the bytes, and a sync forgets what it should have written. */
  readonly failing = new Set<DiskOperation>();
  writes = 0;
  writtenBytes = 0;
  syncs = 0;
  /** Bytes of the log at most, up to now. */
  logBytesMax = 0;
  /** How long the device has waited for it, in all. Integers; may be set back to 0. */
  busyMicroseconds = 0;
  private readonly syncMicroseconds: number;
  private opened: (SimFile | undefined)[] = [];
  private log: SimFile | undefined;
  private fresh: SimFile | undefined;
  /** The log by its name on the disk. */
  private durableLog: SimFile | undefined;

  /** `syncMicroseconds`: how long a sync takes, 5,000 by default. */
  constructor(power: Power, syncMicroseconds = 5_000) {
    this.power = power;
    this.syncMicroseconds = syncMicroseconds;
  }

  /** The power is back: what was not synced was subject to the dice. */
  revive(): void {
    const { dice } = this.power;
    this.opened = [];
    const isNew = dice.below(2) === 1;
    this.log = isNew ? this.log : this.durableLog;
    this.durableLog = this.log;
    this.fresh = undefined;
    if (this.log === undefined) return;
    const { durable, pending } = this.log;
    // In order up to some point, or any of it.
    const count = dice.below(pending.length + 1);
    const isOrdered = dice.below(2) === 0;
    pending.forEach((change, i) => {
      if (isOrdered ? i < count : dice.below(2) === 1) durable.apply(change);
      else if (isOrdered && i === count) this.tear(durable, change, dice.below(change.bytes?.length ?? 0));
    });
    this.log.reread();
  }

  open(isNew: boolean): number {
    this.begin('open', 0);
    const file = isNew ? new SimFile() : (this.log ?? new SimFile());
    if (isNew) this.fresh = file;
    else this.log = file;
    return this.opened.push(file) - 1;
  }

  read(descriptor: number): Uint8Array {
    this.power.check();
    return this.file(descriptor).cached.copy();
  }

  write(descriptor: number, bytes: Uint8Array, position: number): void {
    const file = this.file(descriptor);
    this.power.check();
    this.writes++;
    this.writtenBytes += bytes.length;
    const copy = bytes.slice();
    if (this.failing.has('write')) file.change({ at: position, bytes: copy.subarray(0, copy.length >> 1) });
    this.begin('write', 0);
    file.change({ at: position, bytes: copy });
    if (file === this.log) this.logBytesMax = Math.max(this.logBytesMax, file.cached.byteLength);
  }

  truncate(descriptor: number, byteLength: number): void {
    this.begin('truncate', 0);
    this.file(descriptor).change({ at: byteLength, bytes: null });
  }

  sync(descriptor: number): void {
    const file = this.file(descriptor);
    this.power.check();
    this.syncs++;
    this.busyMicroseconds += this.syncMicroseconds;
    const { pending, durable } = file;
    if (this.failing.has('sync')) file.pending = [];
    const total = pending.reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
    const count = this.begin('sync', total);
    let left = count < 0 ? -1 - count : count;
    while (pending.length > 0) {
      const change = pending[0];
      const byteLength = change.bytes?.length ?? 0;
      if (count < 0 && byteLength > left) {
        this.tear(durable, change, left);
        this.power.lose();
      }
      durable.apply(change);
      left -= byteLength;
      pending.shift();
    }
    if (count < 0) this.power.lose();
  }

  close(descriptor: number): void {
    this.power.check();
    this.file(descriptor);
    this.opened[descriptor] = undefined;
  }

  replace(): void {
    this.begin('replace', 0);
    this.log = this.fresh;
    this.fresh = undefined;
  }

  syncNames(): void {
    this.power.check();
    this.syncs++;
    this.busyMicroseconds += this.syncMicroseconds;
    this.begin('syncNames', 0);
    this.durableLog = this.log;
  }

  discard(): void {
    this.power.check();
    this.fresh = undefined;
  }

  /** Bytes of the log now. */
  get logBytes(): number {
    return this.log?.cached.byteLength ?? 0;
  }

  private file(descriptor: number): SimFile {
    const file = this.opened[descriptor];
    if (file === undefined) throw new Error(`no descriptor ${descriptor}`);
    return file;
  }

  /** Begins an operation; the power may go in one without bytes before it is done. */
  private begin(operation: DiskOperation, byteLength: number): number {
    this.power.check();
    if (this.failing.has(operation)) throw new DiskFailure(operation);
    const count = this.power.begin(byteLength);
    if (count < 0 && byteLength === 0) this.power.lose();
    return count;
  }

  /** Of a change the first `count` bytes are there, and some bits of the one behind them. */
  private tear(content: Content, { at, bytes }: Change, count: number): void {
    if (bytes === null || bytes.length === 0) return;
    const mask = this.power.dice.below(256);
    const part = bytes.slice(0, count + 1);
    part[count] = (part[count] & mask) | (content.byteAt(at + count) & ~mask);
    content.apply({ at, bytes: part });
  }
}
