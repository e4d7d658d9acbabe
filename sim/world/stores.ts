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
import { MemoryStore } from './memory-session-store.ts';
import { Power, type Dice } from './power.ts';
import type { DeviceStore, StoreKind } from './sim-device.ts';

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
    return this.disk.failing.size > 0;
  }

  /** It fails to write, or only says so when it is to sync. */
  set isFailing(isFailing: boolean) {
    this.disk.failing.clear();
    if (isFailing) this.disk.failing.add(this.power.dice.below(2) === 0 ? 'write' : 'sync');
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

/** Bytes of an outbox that the sectors of Moddable's boards are enough for: docs/stores.md. */
const OUTBOX_BYTES = 2048;
const SECTORS = 6;

/** The store of a device whose outbox has `outboxBytes`, on a medium with room for that. */
export function makeDeviceStore(kind: StoreKind, dice: Dice, outboxBytes: number): DeviceStore {
  const power = new Power(dice);
  if (kind === 'list') return new MemoryStore(power);
  if (kind === 'log') return new WorldStore(new DiskMedium(power));
  const sectorCount = SECTORS * Math.max(1, Math.ceil(outboxBytes / OUTBOX_BYTES));
  return new WorldStore(new FlashMedium(power, { sectorCount }));
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

  remove(kind: number, number: number): boolean {
    const isRemoved = this.opened().remove(kind, number);
    this.power.check();
    return isRemoved;
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
