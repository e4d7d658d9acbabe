/**
 * A session store in one file: a log of small records, each with its checksum, read back up to the first that is torn.
 *
 * Layout of a record: byte length of what follows the checksum (4), CRC-32 of that (4), operation (1), kind (1), number
 * (4), bytes. The log is written anew, and put in the old one's place by a rename, when most of it is of no use any
 * more. One process owns the file at a time.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import type { PersistentStore } from '../../src/session/store.ts';
import { STORED_RECEIVED } from '../../src/session/store.ts';

const HEAD_BYTES = 14;
const FRAME_BYTES = 8;
const PUT = 1;
const REMOVE = 2;
/** A log is not rewritten before it is this long. */
const COMPACT_BYTES_MIN = 65536;

export interface FileStoreOptions {
  /**
   * Whether what is put has reached the disk when `put` returns; default true: survives a power cut. False: survives
   * the end of the process only, and is much faster.
   */
  fsync?: boolean | undefined;
}

interface Kept {
  kind: number;
  number: number;
  bytes: Uint8Array;
}

function keyOf(kind: number, number: number): number {
  return kind * 4294967296 + number;
}

export class FileStore implements PersistentStore {
  readonly file: string;
  private readonly isSyncing: boolean;
  private readonly kept = new Map<number, Kept>();
  private descriptor: number;
  private fileBytes = 0;
  private liveBytes = 0;

  /** Opens or makes `file`; its folder must be there. A torn end, as a power cut leaves it, is cut off. */
  constructor(file: string, options: FileStoreOptions = {}) {
    this.file = path.resolve(file);
    this.isSyncing = options.fsync !== false;
    this.descriptor = fs.openSync(this.file, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    const log = fs.readFileSync(this.descriptor);
    this.fileBytes = this.load(log);
    if (this.fileBytes < log.length) fs.ftruncateSync(this.descriptor, this.fileBytes);
    if (this.isSyncing) this.syncFolder();
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    const copy = bytes.slice(at, at + byteLength);
    if (!this.append(PUT, kind, number, copy, this.isSyncing)) return false;
    this.keep(kind, number, copy);
    this.compactIfDue();
    return true;
  }

  remove(kind: number, number: number): void {
    if (!this.kept.has(keyOf(kind, number))) return;
    // A message that comes back after a power cut is sent once more, as the standard allows; a received identifier
    // that comes back would swallow the next message.
    this.append(REMOVE, kind, number, new Uint8Array(0), this.isSyncing && kind === STORED_RECEIVED);
    this.forget(kind, number);
    this.compactIfDue();
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
    fs.closeSync(this.descriptor);
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
  private load(log: Buffer): number {
    let at = 0;
    while (at + HEAD_BYTES <= log.length) {
      const byteLength = log.readUInt32BE(at);
      const end = at + FRAME_BYTES + byteLength;
      if (byteLength < HEAD_BYTES - FRAME_BYTES || end > log.length) break;
      if (crc32(log.subarray(at + FRAME_BYTES, end)) !== log.readUInt32BE(at + 4)) break;
      const operation = log[at + 8];
      const kind = log[at + 9];
      const number = log.readUInt32BE(at + 10);
      if (operation === PUT) this.keep(kind, number, new Uint8Array(log.subarray(at + HEAD_BYTES, end)));
      else this.forget(kind, number);
      at = end;
    }
    return at;
  }

  private append(
    operation: number,
    kind: number,
    number: number,
    bytes: Uint8Array,
    isSynced: boolean,
  ): boolean {
    if (this.descriptor < 0) return false;
    const record = encodeRecord(operation, kind, number, bytes);
    try {
      writeAll(this.descriptor, record, this.fileBytes);
      if (isSynced) fs.fdatasyncSync(this.descriptor);
    } catch {
      // A full disk: what was half written is overwritten by the next record, or cut off as torn.
      return false;
    }
    this.fileBytes += record.length;
    return true;
  }

  private compactIfDue(): void {
    if (this.fileBytes >= COMPACT_BYTES_MIN && this.fileBytes > this.liveBytes * 4) this.compact();
  }

  /** Writes the live records to a new file and renames it over the old one: there is a whole log at any moment. */
  private compact(): void {
    const temporary = this.file + '.new';
    let descriptor = -1;
    try {
      descriptor = fs.openSync(temporary, 'w+', 0o600);
      let at = 0;
      for (const { kind, number, bytes } of this.kept.values()) {
        const record = encodeRecord(PUT, kind, number, bytes);
        writeAll(descriptor, record, at);
        at += record.length;
      }
      if (this.isSyncing) fs.fdatasyncSync(descriptor);
      fs.renameSync(temporary, this.file);
      if (this.isSyncing) this.syncFolder();
      fs.closeSync(this.descriptor);
      this.descriptor = descriptor;
      this.fileBytes = at;
    } catch {
      // No room for a second file: the long one serves as well.
      if (descriptor >= 0) fs.closeSync(descriptor);
      fs.rmSync(temporary, { force: true });
    }
  }

  /** A new name in a folder lasts once the folder itself is on the disk. */
  private syncFolder(): void {
    const folder = fs.openSync(path.dirname(this.file), 'r');
    try {
      fs.fsyncSync(folder);
    } finally {
      fs.closeSync(folder);
    }
  }
}

function encodeRecord(operation: number, kind: number, number: number, bytes: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
  record.writeUInt32BE(HEAD_BYTES - FRAME_BYTES + bytes.length, 0);
  record[8] = operation;
  record[9] = kind;
  record.writeUInt32BE(number, 10);
  record.set(bytes, HEAD_BYTES);
  record.writeUInt32BE(crc32(record.subarray(FRAME_BYTES)), 4);
  return record;
}

function writeAll(descriptor: number, bytes: Uint8Array, position: number): void {
  for (let written = 0; written < bytes.length;) {
    written += fs.writeSync(descriptor, bytes, written, bytes.length - written, position + written);
  }
}
