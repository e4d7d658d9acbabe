/**
 * A device's store as a list of records: each write is there or is not, and the power may go before it or behind it.
 */
import type { SimRandom } from './random.ts';
import { PowerLost } from './sim-board.ts';
import type { DeviceStore } from './sim-device.ts';

interface StoredRecord {
  readonly kind: number;
  readonly number: number;
  readonly bytes: Uint8Array;
}

export class SimStore implements DeviceStore {
  writes = 0;
  private readonly random: SimRandom;
  private readonly records = new Map<string, StoredRecord>();
  private writesLeft = Infinity;
  private isFailing = false;

  constructor(random: SimRandom) {
    this.random = random;
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    if (this.isFailing) return false;
    this.write(() => {
      this.records.set(keyOf(kind, number), { kind, number, bytes: bytes.slice(at, at + byteLength) });
    });
    return true;
  }

  remove(kind: number, number: number): void {
    this.write(() => {
      this.records.delete(keyOf(kind, number));
    });
  }

  private write(change: () => void): void {
    this.writes++;
    this.writesLeft--;
    if (this.writesLeft >= 0) {
      change();
      return;
    }
    if (this.random.isChance(500)) change();
    throw new PowerLost();
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    const records = [...this.records.values()].sort((a, b) => a.kind - b.kind || a.number - b.number);
    for (const { kind, number, bytes } of records) visit(kind, number, bytes);
  }

  revive(): void {
    this.writesLeft = Infinity;
    this.isFailing = false;
  }

  cutAfter(writes: number): void {
    this.writesLeft = writes;
  }

  setFailing(isFailing: boolean): void {
    this.isFailing = isFailing;
  }
}

function keyOf(kind: number, number: number): string {
  return `${kind}.${number}`;
}
