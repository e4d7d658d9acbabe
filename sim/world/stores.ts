/**
 * The shipped session stores on modelled media, as a device of a world has them: the board's in NVS on flash, Node's in a
 * file on a disk. A store opens its medium when it is first used after a power cut, as firmware does at its start, and
 * throws PowerLost when the power goes in the middle of something, whatever the shipped code made of that.
 */
import type { PersistentStore } from '../../src/session/store.ts';
import { FlashStore, preferenceValues } from '../../targets/moddable/flash-store.ts';
import { LogStore } from '../../targets/node/log-store.ts';
import { SimDisk } from './disk.ts';
import { SimFlash, type SimFlashOptions } from './flash.ts';
import { SimNvs } from './nvs.ts';
import type { Power } from './power.ts';

/** What a store is on. */
export interface Medium {
  readonly power: Power;
  /** Writing is refused while this is true. */
  isFailing: boolean;
  /** How long the device has waited for it, in all; may be set back to 0. */
  busyMicroseconds: number;
  /** Opens what is there. Throws PowerLost when the power goes meanwhile. */
  open(): PersistentStore;
  /** The power is about to be back. */
  revive(): void;
}

/** The domain that the examples use. */
const DOMAIN = 'motemq';

/** Flash with NVS, and in it the store of Moddable's boards. */
export class FlashMedium implements Medium {
  readonly flash: SimFlash;
  /** As it was opened last. */
  nvs: SimNvs | undefined;
  isFailing = false;

  constructor(power: Power, options: SimFlashOptions = {}) {
    this.flash = new SimFlash(power, options);
  }

  get power(): Power {
    return this.flash.power;
  }

  get busyMicroseconds(): number {
    return this.flash.busyMicroseconds;
  }

  set busyMicroseconds(value: number) {
    this.flash.busyMicroseconds = value;
  }

  open(): PersistentStore {
    const nvs = new SimNvs(this.flash, () => this.isFailing);
    this.nvs = nvs;
    return new FlashStore(preferenceValues(nvs, DOMAIN));
  }

  revive(): void {
    this.nvs = undefined;
  }
}

/** A disk, and on it the file of Node's store. */
export class DiskMedium implements Medium {
  readonly disk: SimDisk;

  constructor(power: Power, syncMicroseconds?: number) {
    this.disk = new SimDisk(power, syncMicroseconds);
  }

  get power(): Power {
    return this.disk.power;
  }

  get isFailing(): boolean {
    return this.disk.failing.has('write');
  }

  set isFailing(isFailing: boolean) {
    if (isFailing) this.disk.failing.add('write');
    else this.disk.failing.delete('write');
  }

  get busyMicroseconds(): number {
    return this.disk.busyMicroseconds;
  }

  set busyMicroseconds(value: number) {
    this.disk.busyMicroseconds = value;
  }

  open(): PersistentStore {
    return new LogStore(this.disk, true);
  }

  revive(): void {
    this.disk.revive();
  }
}

/** A device's store; the same object in all of the device's lives. */
export class WorldStore<M extends Medium = Medium> implements PersistentStore {
  readonly medium: M;
  private store: PersistentStore | undefined;

  constructor(medium: M) {
    this.medium = medium;
  }

  get power(): Power {
    return this.medium.power;
  }

  /** The power goes in the middle of an operation of the medium: after so many others. */
  cutAfter(operations: number): void {
    this.power.cutAfter({ operations });
  }

  /** Whether what is put is refused; what is removed then waits. */
  setFailing(isFailing: boolean): void {
    this.medium.isFailing = isFailing;
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    const isKept = this.opened().put(kind, number, bytes, at, byteLength);
    this.power.check();
    return isKept;
  }

  remove(kind: number, number: number): void {
    this.opened().remove(kind, number);
    this.power.check();
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    this.opened().each(visit);
    this.power.check();
  }

  /** The power is back, whether it went in the middle of something or not, and nothing is refused. */
  revive(): void {
    this.setFailing(false);
    this.medium.revive();
    this.power.revive();
    this.store = undefined;
  }

  private opened(): PersistentStore {
    this.power.check();
    this.store ??= this.medium.open();
    return this.store;
  }
}
