/**
 * Everything that is to happen at a time: keep alives, expiries, delayed wills. A binary heap of objects that their
 * owners keep, so that neither setting nor moving one allocates. Knows no clock: its owner says what time it is.
 */

/** Something to do at a time. Its owner makes it once, with `heapIndex` -1, and sets it as often as it likes. */
export interface Deadline {
  /** When, in milliseconds of the core's clock; written by `Deadlines` alone. */
  atMs: number;
  /** Where it is in the heap; -1: not scheduled. Written by `Deadlines` alone. */
  heapIndex: number;
  /** Is due, and is no longer scheduled. May set and clear any deadline, itself too. */
  fire(nowMs: number): void;
}

/** What one `advance` fires, beyond as many as there were, before those set meanwhile wait for the next. */
const LATE_COUNT = 1000;

export class Deadlines {
  private readonly heap: Deadline[] = [];
  /** For each place of the heap, when its deadline was set: ties fire in that order. */
  private readonly orders: number[] = [];
  private nextOrder = 0;
  /** No deadline is set for earlier than this. Only while `advance` has had enough of those set meanwhile. */
  private floorMs = -Infinity;

  /** How many are scheduled. */
  get count(): number {
    return this.heap.length;
  }

  /** When the earliest is due, or Infinity. */
  nextMs(): number {
    return this.heap.length === 0 ? Infinity : this.heap[0].atMs;
  }

  /** Schedules it, or moves it: among those of the same time it is then the last. Infinity clears it. */
  set(deadline: Deadline, atMs: number): void {
    if (Number.isNaN(atMs)) throw new RangeError('A deadline needs a time');
    if (atMs === Infinity) {
      this.clear(deadline);
      return;
    }
    let index = deadline.heapIndex;
    if (index < 0) {
      index = this.heap.length;
      this.heap.push(deadline);
      this.orders.push(0);
    }
    deadline.atMs = Math.max(atMs, this.floorMs);
    this.settle(deadline, this.nextOrder++, index);
  }

  /** It will not fire. Nothing happens when it is not scheduled. */
  clear(deadline: Deadline): void {
    const index = deadline.heapIndex;
    if (index < 0) return;
    deadline.heapIndex = -1;
    const last = this.heap.pop();
    const order = this.orders.pop();
    if (last === undefined || order === undefined || last === deadline) return;
    this.settle(last, order, index);
  }

  /**
   * Fires all that are due by `nowMs`, the earliest first, ties in the order they were set; those set meanwhile for a
   * time already due, too. So that those that set each other anew end, there is a bound to that: what is set beyond it
   * is moved to `nowMs` and left for the next call, which `nextMs` tells. An error of `fire` is thrown on, and the
   * others stay scheduled. Not to be called from `fire`.
   */
  advance(nowMs: number): void {
    const { heap, orders } = this;
    const firstLate = this.nextOrder;
    let lateCount = heap.length + LATE_COUNT;
    let firstLeft = Infinity;
    try {
      while (heap.length > 0 && heap[0].atMs <= nowMs) {
        const order = orders[0];
        if (order >= firstLeft) break; // all others that are due come before it
        const deadline = heap[0];
        this.clear(deadline);
        if (order >= firstLate && --lateCount === 0) {
          firstLeft = this.nextOrder;
          this.floorMs = nowMs;
        }
        deadline.fire(nowMs);
      }
    } finally {
      this.floorMs = -Infinity;
    }
  }

  /** Puts a deadline where it belongs, beginning at a place that is free or its own. */
  private settle(deadline: Deadline, order: number, index: number): void {
    const { heap, orders } = this;
    const { atMs } = deadline;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.isBefore(atMs, order, parent)) break;
      this.place(heap[parent], orders[parent], index);
      index = parent;
    }
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && this.isBefore(heap[child + 1].atMs, orders[child + 1], child)) child++;
      if (this.isBefore(atMs, order, child)) break;
      this.place(heap[child], orders[child], index);
      index = child;
    }
    this.place(deadline, order, index);
  }

  private isBefore(atMs: number, order: number, index: number): boolean {
    const otherMs = this.heap[index].atMs;
    return atMs < otherMs || (atMs === otherMs && order < this.orders[index]);
  }

  private place(deadline: Deadline, order: number, index: number): void {
    this.heap[index] = deadline;
    this.orders[index] = order;
    deadline.heapIndex = index;
  }
}
