/**
 * A session store in memory that outlasts its device's power: each operation is there as a whole or not at all. The
 * cheapest of a world's stores, and what the others are compared with.
 */
import type { PersistentStore } from '../../src/session/store.ts';
import type { Power } from './power.ts';

interface Kept {
  kind: number;
  number: number;
  bytes: Uint8Array;
}

export class MemoryStore implements PersistentStore {
  readonly power: Power;
  /** Operations in all lives: what was put, or refused, and what was removed. */
  operations = 0;
  private isFailing = false;
  private readonly kept = new Map<number, Kept>();
  /** Keys of what is to be removed, the oldest first. */
  private readonly owed = new Set<number>();

  constructor(power: Power) {
    this.power = power;
  }

  put(kind: number, number: number, bytes: Uint8Array, at: number, byteLength: number): boolean {
    this.power.check();
    this.operations++;
    if (this.isFailing) return false;
    this.settle();
    const copy = bytes.slice(at, at + byteLength);
    this.change(() => this.kept.set(keyOf(kind, number), { kind, number, bytes: copy }));
    return true;
  }

  remove(kind: number, number: number): boolean {
    this.power.check();
    this.operations++;
    this.owed.add(keyOf(kind, number));
    if (this.isFailing) return false;
    this.settle();
    return true;
  }

  each(visit: (kind: number, number: number, bytes: Uint8Array) => void): void {
    this.power.check();
    const all = [...this.kept.values()].sort((a, b) => a.kind - b.kind || a.number - b.number);
    for (const { kind, number, bytes } of all) visit(kind, number, bytes);
  }

  /** The power goes in the middle of an operation: after so many others. */
  cutAfter(operations: number): void {
    this.power.cutAfter({ operations });
  }

  /** Whether what is put is refused, and what is removed waits. */
  setFailing(isFailing: boolean): void {
    this.isFailing = isFailing;
  }

  /** The power is back, everything is still there, and nothing is refused; what waited to be removed is forgotten. */
  revive(): void {
    this.isFailing = false;
    this.owed.clear();
    this.power.revive();
  }

  /** How many records there are. */
  get size(): number {
    return this.kept.size;
  }

  /** Removes what is to be removed, in order. */
  private settle(): void {
    for (const key of this.owed) {
      this.change(() => this.kept.delete(key));
      this.owed.delete(key);
    }
  }

  private change(run: () => void): void {
    const isDone = this.power.begin(1) === 1;
    if (isDone || this.power.dice.below(2) === 1) run();
    if (!isDone) this.power.lose();
  }
}

function keyOf(kind: number, number: number): number {
  return kind * 4294967296 + number;
}
