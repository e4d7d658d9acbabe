/**
 * A session store in a log: a file of small records, each with its checksum, read back up to the first that is torn.
 * Knows no file system: files come in, so that this very code also runs on disks that fail and lose their power.
 *
 * Layout of a record: byte length of what follows the checksum (4), CRC-32 of that (4), operation (1), kind (1), number
 * (4), bytes. The log is written anew, and put in the old one's place, when most of it is of no use any more.
 *
 * What a message costs: 14 bytes more than its outbox record (24 bytes, topic, properties, payload) and a sync when it is
 * accepted, 17 bytes and a sync when it is sent, with QoS 2 as much again at PUBREC, 28 bytes when it is done; a received
 * QoS 2 message 28 bytes and two syncs. Writing anew costs two syncs and what is of use then, less than a quarter of the
 * log.
 */
import type { PersistentStore } from '../../src/session/store.ts';
import { STORED_RECEIVED } from '../../src/session/store.ts';
import { crc32 } from './crc32.ts';

/** The two files of a log store: the log, and the new one that is to take its place. Every method throws when it fails. */
export interface LogFiles {
  /** Opens the log, made if it is not there; or, `isNew`, the new file, made and emptied. Returns a descriptor from 0. */
  open(isNew: boolean): number;
  /** All there is in it. */
  read(descriptor: number): Uint8Array;
  /** Writes all of `bytes`, behind the end if need be. */
  write(descriptor: number, bytes: Uint8Array, position: number): void;
  truncate(descriptor: number, byteLength: number): void;
  /** Returns when everything written to it is on the disk. */
  sync(descriptor: number): void;
  close(descriptor: number): void;
  /** The new file takes the log's place, at once and as a whole; open descriptors stay what they are. */
  replace(): void;
  /** Returns when the names of the files, as `open` and `replace` have made them, are on the disk. */
  syncNames(): void;
  /** Deletes the new file, if there is one. */
  discard(): void;
}

const HEAD_BYTES = 14;
const FRAME_BYTES = 8;
const PUT = 1;
const REMOVE = 2;
const NO_BYTES = new Uint8Array(0);
/** A log is not written anew before it is this long. */
const COMPACT_BYTES_MIN = 65536;

interface Kept {
  kind: number;
  number: number;
  bytes: Uint8Array;
}

function keyOf(kind: number, number: number): number {
  return kind * 4294967296 + number;
}

export class LogStore implements PersistentStore {
  private readonly files: LogFiles;
  private readonly isSyncing: boolean;
  private readonly kept = new Map<number, Kept>();
  private descriptor: number;
  private fileBytes = 0;
  private liveBytes = 0;
  /** Records of removals that could not be written, oldest first: they go before anything else. */
  private owed: Uint8Array[] = [];
  /** What the disk has of the log is not known any more: it must be written anew before anything is promised. */
  private isSuspect = false;
  /** The names of the files may not be on the disk yet. */
  private isNameOwed = false;
  /** Where the next attempt to write the log anew is due. */
  private compactAtBytes = COMPACT_BYTES_MIN;

  /**
   * Opens or makes the log. A torn end, as a power cut leaves it, is cut off. `isSyncing`: what is put has reached the disk
   * when `put` returns. Throws what `files` throws.
   */
  constructor(files: LogFiles, isSyncing: boolean) {
    this.files = files;
    this.isSyncing = isSyncing;
    this.descriptor = files.open(false);
    const log = files.read(this.descriptor);
    this.fileBytes = this.load(log);
    if (this.fileBytes < log.length) {
      files.truncate(this.descriptor, this.fileBytes);
      // What is behind the end could be whole again after another power cut, once something is written in between.
      if (isSyncing) files.sync(this.descriptor);
    }
    if (isSyncing) files.syncNames();
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    const copy = bytes.slice(at, at + byteLength);
    if (!this.append(encodeRecord(PUT, kind, number, copy), this.isSyncing)) return false;
    this.keep(kind, number, copy);
    this.compactIfDue();
    return true;
  }

  remove(kind: number, number: number): boolean {
    const isKept = this.kept.has(keyOf(kind, number));
    // Not kept, and yet perhaps in the log: it could not be removed when that was asked for.
    if (!isKept && this.owed.length === 0) return true;
    this.forget(kind, number);
    const record = isKept ? encodeRecord(REMOVE, kind, number, NO_BYTES) : NO_BYTES;
    // A message that comes back after a power cut is sent once more, as the standard allows; a received identifier
    // that comes back would swallow the next message.
    const isRemoved = this.append(record, this.isSyncing && kind === STORED_RECEIVED);
    if (!isRemoved && isKept) this.owed.push(record);
    this.compactIfDue();
    return isRemoved;
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    const all = [...this.kept.values()].sort((a, b) => a.kind - b.kind || a.number - b.number);
    for (const { kind, number, bytes } of all) visit(kind, number, bytes);
  }

  /** How many records there are. */
  get size(): number {
    return this.kept.size;
  }

  close(): void {
    if (this.descriptor < 0) return;
    this.files.close(this.descriptor);
    this.descriptor = -1;
  }

  private keep(kind: number, number: number, bytes: Uint8Array): void {
    this.forget(kind, number);
    this.kept.set(keyOf(kind, number), { kind, number, bytes });
    this.liveBytes += HEAD_BYTES + bytes.length;
  }

  private forget(kind: number, number: number): void {
    const key = keyOf(kind, number);
    const old = this.kept.get(key);
    if (old === undefined) return;
    this.liveBytes -= HEAD_BYTES + old.bytes.length;
    this.kept.delete(key);
  }

  /** Reads records up to the first that is not whole; returns how many bytes are good. */
  private load(log: Uint8Array): number {
    const view = new DataView(log.buffer, log.byteOffset, log.byteLength);
    let at = 0;
    while (at + HEAD_BYTES <= log.length) {
      const byteLength = view.getUint32(at);
      const end = at + FRAME_BYTES + byteLength;
      if (byteLength < HEAD_BYTES - FRAME_BYTES || end > log.length) break;
      if (crc32(log, at + FRAME_BYTES, end) !== view.getUint32(at + 4)) break;
      const kind = log[at + 9];
      const number = view.getUint32(at + 10);
      if (log[at + 8] === PUT) this.keep(kind, number, Uint8Array.from(log.subarray(at + HEAD_BYTES, end)));
      else this.forget(kind, number);
      at = end;
    }
    return at;
  }

  /** Writes a record, and before it those that are owed; false when the log does not have it. */
  private append(record: Uint8Array, isSynced: boolean): boolean {
    if (this.descriptor < 0) return false;
    if (this.isSuspect && !this.rewrite()) return false;
    if (isSynced && !this.payNames()) return false;
    const bytes = this.owed.length === 0 ? record : join([...this.owed, record]);
    let isWritten = false;
    try {
      this.files.write(this.descriptor, bytes, this.fileBytes);
      isWritten = true;
      if (isSynced) this.files.sync(this.descriptor);
    } catch {
      this.takeBack(isWritten);
      return false;
    }
    this.fileBytes += bytes.length;
    this.owed = [];
    return true;
  }

  /** A record that was refused, or half of it, must not be there after a restart. */
  private takeBack(isSyncFailed: boolean): void {
    // After a failed sync nobody knows what the disk has of all that was written since the one before.
    this.isSuspect ||= isSyncFailed;
    try {
      this.files.truncate(this.descriptor, this.fileBytes);
      if (this.isSyncing) this.files.sync(this.descriptor);
    } catch {
      this.isSuspect = true;
    }
  }

  private compactIfDue(): void {
    if (this.fileBytes < this.compactAtBytes || this.fileBytes <= this.liveBytes * 4) return;
    // No room for a second file: the long one serves as well, until it is a half longer.
    if (!this.rewrite()) this.compactAtBytes = this.fileBytes + (this.fileBytes >> 1);
  }

  /** Writes the live records to a new file, which takes the place of the log: there is a whole log at any moment. */
  private rewrite(): boolean {
    const { files } = this;
    let descriptor = -1;
    let at = 0;
    try {
      descriptor = files.open(true);
      for (const { kind, number, bytes } of this.kept.values()) {
        const record = encodeRecord(PUT, kind, number, bytes);
        files.write(descriptor, record, at);
        at += record.length;
      }
      if (this.isSyncing) files.sync(descriptor);
      files.replace();
    } catch {
      if (descriptor >= 0) attempt(() => files.close(descriptor));
      attempt(() => files.discard());
      return false;
    }
    // From here on the new file is the log, whatever else fails.
    const old = this.descriptor;
    this.descriptor = descriptor;
    this.fileBytes = at;
    this.owed = [];
    this.isSuspect = false;
    this.isNameOwed = this.isSyncing;
    this.compactAtBytes = COMPACT_BYTES_MIN;
    attempt(() => files.close(old));
    this.payNames();
    return true;
  }

  /** A new file in the old one's place lasts once its name is on the disk: without that nothing in it does. */
  private payNames(): boolean {
    if (!this.isNameOwed) return true;
    this.isNameOwed = !attempt(() => this.files.syncNames());
    return !this.isNameOwed;
  }
}

/** Whether it went without an error. */
function attempt(run: () => void): boolean {
  try {
    run();
    return true;
  } catch {
    return false;
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function encodeRecord(operation: number, kind: number, number: number, bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(HEAD_BYTES + bytes.length);
  const view = new DataView(record.buffer);
  view.setUint32(0, HEAD_BYTES - FRAME_BYTES + bytes.length);
  record[8] = operation;
  record[9] = kind;
  view.setUint32(10, number);
  record.set(bytes, HEAD_BYTES);
  view.setUint32(4, crc32(record, FRAME_BYTES, record.length));
  return record;
}
