/**
 * A first-in, first-out queue on an array: constant time at both ends, without a hole that grows.
 */
export class Fifo<T> {
  private items: T[] = [];
  private first = 0;

  get count(): number {
    return this.items.length - this.first;
  }

  push(item: T): void {
    this.items.push(item);
  }

  peek(): T | undefined {
    return this.items[this.first];
  }

  shift(): T | undefined {
    if (this.first >= this.items.length) return undefined;
    const item = this.items[this.first];
    this.first++;
    if (this.first === this.items.length) {
      this.items = [];
      this.first = 0;
    } else if (this.first >= 1024 && this.first * 2 >= this.items.length) {
      this.items = this.items.slice(this.first);
      this.first = 0;
    }
    return item;
  }

  clear(): void {
    this.items = [];
    this.first = 0;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = this.first; i < this.items.length; i++) yield this.items[i];
  }
}
