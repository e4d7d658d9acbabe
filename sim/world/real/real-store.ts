/**
 * A device's store in a file: the log that ships, on Node's file system, on a disk that refuses for a while and whose power
 * goes in the middle of a write. A device loses its power, not the machine under it: what has been written is there, and
 * nothing has to be synced.
 */
import { LogStore, type LogFiles } from '../../../targets/node/log-store.ts';
import { nodeFiles } from '../../../targets/node/file-store.ts';
import type { SimRandom } from '../random.ts';
import { PowerLost } from '../sim-board.ts';
import type { DeviceStore } from '../sim-device.ts';

/** Files of a device. After the power has gone nothing is done any more. */
class DeviceFiles implements LogFiles {
  isFailing = false;
  hasPower = true;
  writesLeft = Infinity;
  private readonly files: LogFiles;
  private readonly random: SimRandom;

  constructor(files: LogFiles, random: SimRandom) {
    this.files = files;
    this.random = random;
  }

  private check(): void {
    if (!this.hasPower) throw new Error('no power');
    if (this.isFailing) throw new Error('no space left');
  }

  open(isNew: boolean): number {
    this.check();
    return this.files.open(isNew);
  }

  read(descriptor: number): Uint8Array {
    return this.files.read(descriptor);
  }

  write(descriptor: number, bytes: Uint8Array, position: number): void {
    this.check();
    if (--this.writesLeft >= 0) {
      this.files.write(descriptor, bytes, position);
      return;
    }
    // Any byte of it may be the last: none is there, some are, all are.
    this.files.write(descriptor, bytes.subarray(0, this.random.below(bytes.length + 1)), position);
    this.hasPower = false;
    this.check();
  }

  truncate(descriptor: number, byteLength: number): void {
    this.check();
    this.files.truncate(descriptor, byteLength);
  }

  sync(): void {
    this.check();
  }

  close(descriptor: number): void {
    this.files.close(descriptor);
  }

  replace(): void {
    this.check();
    this.files.replace();
  }

  syncNames(): void {
    this.check();
  }

  discard(): void {
    this.check();
    this.files.discard();
  }
}

export class RealStore implements DeviceStore {
  /** How often the power went in the middle of a write. */
  tornCount = 0;
  private readonly files: DeviceFiles;
  private store: LogStore | null = null;

  /** `file`: the log's path; its folder must be there. */
  constructor(file: string, random: SimRandom) {
    this.files = new DeviceFiles(nodeFiles(file), random);
  }

  private opened(): LogStore {
    if (this.store === null) throw new Error('the store is read before its device is on');
    return this.store;
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    const isKept = this.opened().put(kind, number, bytes, at, byteLength);
    this.checkPower();
    return isKept;
  }

  remove(kind: number, number: number): boolean {
    const isRemoved = this.opened().remove(kind, number);
    this.checkPower();
    return isRemoved;
  }

  private checkPower(): void {
    if (this.files.hasPower) return;
    this.tornCount++;
    throw new PowerLost();
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    this.opened().each(visit);
  }

  revive(): void {
    this.close();
    this.files.hasPower = true;
    this.files.isFailing = false;
    this.files.writesLeft = Infinity;
    this.store = new LogStore(this.files, true);
  }

  close(): void {
    this.store?.close();
    this.store = null;
  }

  cutAfter(operations: number): void {
    this.files.writesLeft = operations;
  }

  setFailing(isFailing: boolean): void {
    this.files.isFailing = isFailing;
  }
}
