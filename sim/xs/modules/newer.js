/**
 * What the engine of today's boards has (XS 17, ES2023) and the one that runs here has not: as much of it as programs
 * here use. Loaded into every machine before anything else.
 */

/** There it can be set, here it could only be read. */
const stack = Object.getOwnPropertyDescriptor(Error.prototype, 'stack');
if (stack.set === undefined) {
  Object.defineProperty(Error.prototype, 'stack', {
    ...stack,
    set(value) {
      Object.defineProperty(this, 'stack', { value, writable: true, configurable: true });
    },
  });
}

/** Adds methods where there are none. */
function add(prototype, methods) {
  for (const name of Object.keys(methods)) {
    if (name in prototype) continue;
    Object.defineProperty(prototype, name, { value: methods[name], writable: true, configurable: true });
  }
}

add(Array.prototype, {
  findLast(isWanted, self) {
    for (let i = this.length - 1; i >= 0; i--) {
      if (isWanted.call(self, this[i], i, this)) return this[i];
    }
    return undefined;
  },
  findLastIndex(isWanted, self) {
    for (let i = this.length - 1; i >= 0; i--) if (isWanted.call(self, this[i], i, this)) return i;
    return -1;
  },
  toReversed() {
    return [...this].reverse();
  },
  toSorted(compare) {
    return [...this].sort(compare);
  },
  with(index, value) {
    const copy = [...this];
    copy[index < 0 ? copy.length + index : index] = value;
    return copy;
  },
});
