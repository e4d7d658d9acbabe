/**
 * One clockwork for thousands of timers: a hashed timing wheel over small integer ids, in flat arrays, so that ten
 * thousand devices cost one timer of the event loop and no object each. Knows nothing of devices; time is passed in.
 */

/** Slots of a millisecond each; a power of two. What is further away stays in its slot for another round. */
const SLOTS = 4096;
const MASK = SLOTS - 1;
const NONE = -1;

export class Wheel {
  /** Per slot: its first id; per id: its neighbours, its slot (NONE while it waits for nothing) and its time. */
  private readonly head = new Int32Array(SLOTS).fill(NONE);
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly slot: Int32Array;
  private readonly dueMs: Float64Array;
  private readonly batch: number[] = [];
  /** The slot looked at last is this, modulo SLOTS. */
  private tick: number;
  private waiting = 0;

  /**
   * @param count ids are 0 … count - 1
   * @param nowMs where its time begins, on a clock that never goes back
   */
  constructor(count: number, nowMs: number) {
    this.next = new Int32Array(count).fill(NONE);
    this.previous = new Int32Array(count).fill(NONE);
    this.slot = new Int32Array(count).fill(NONE);
    this.dueMs = new Float64Array(count);
    this.tick = Math.floor(nowMs);
  }

  /** How many ids wait. */
  get size(): number {
    return this.waiting;
  }

  /** Has `id` come up at `dueMs`, or at once if that is past; replaces what it waited for. */
  schedule(id: number, dueMs: number): void {
    this.cancel(id);
    const slot = Math.max(Math.floor(dueMs), this.tick) & MASK;
    const first = this.head[slot];
    this.next[id] = first;
    this.previous[id] = NONE;
    if (first !== NONE) this.previous[first] = id;
    this.head[slot] = id;
    this.slot[id] = slot;
    this.dueMs[id] = dueMs;
    this.waiting += 1;
  }

  /** Takes `id` off; nothing happens if it waits for nothing. */
  cancel(id: number): void {
    const slot = this.slot[id];
    if (slot === NONE) return;
    const next = this.next[id];
    const previous = this.previous[id];
    if (previous === NONE) this.head[slot] = next;
    else this.next[previous] = next;
    if (next !== NONE) this.previous[next] = previous;
    this.slot[id] = NONE;
    this.waiting -= 1;
  }

  /**
   * Calls `handle` for the ids that are due, slot by slot. It may schedule and cancel any id; one it schedules for a
   * time that is past comes up at the next call. Stops after the slot in which `limit` is reached, so that the caller
   * can look after other things; returns whether there is more to do right now.
   */
  advance(nowMs: number, limit: number, handle: (id: number, dueMs: number) => void): boolean {
    const end = Math.floor(nowMs);
    // A whole round looks at every slot; what is due in none of them is not due.
    let tick = Math.max(this.tick, end - SLOTS + 1);
    let handled = 0;
    const batch = this.batch;
    for (; tick <= end; tick++) {
      this.tick = tick;
      for (let id = this.head[tick & MASK]; id !== NONE; id = this.next[id]) {
        if (this.dueMs[id] <= nowMs) batch.push(id);
      }
      for (let index = 0; index < batch.length; index++) {
        const id = batch[index];
        // What came up before it may have taken it off or put it off.
        if (this.slot[id] === NONE || this.dueMs[id] > nowMs) continue;
        const dueMs = this.dueMs[id];
        this.cancel(id);
        handle(id, dueMs);
        handled += 1;
      }
      batch.length = 0;
      if (handled >= limit) return tick < end;
    }
    return false;
  }

  /** A time up to which nothing is due: `advance` need not be called before. Infinity when nothing waits. */
  nextMs(): number {
    if (this.waiting === 0) return Infinity;
    for (let tick = this.tick; tick < this.tick + SLOTS; tick++) {
      if (this.head[tick & MASK] !== NONE) return tick;
    }
    return this.tick + SLOTS;
  }
}
