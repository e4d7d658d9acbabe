/**
 * Moving bytes: the only place that chooses between an engine's native copy and a loop. Knows nothing of packets.
 */

/** No bytes at all: shared, so that nobody has to make an array to say so. */
export const NO_BYTES = new Uint8Array(0);

/** Below this many bytes a plain loop costs no more than the call into the engine's native copy. */
const NATIVE_COPY_BYTES_MIN = 32;
/** From this many bytes on the native copy is worth the small view it takes to name a part of an array. */
const VIEW_COPY_BYTES_MIN = 1024;

/** Copies the first `length` bytes of `source` to `target[at]`, another array. See copyRange. */
export function copyBytes(source: Uint8Array, length: number, target: Uint8Array, at: number): void {
  copyRange(source, 0, length, target, at);
}

/**
 * Copies `source[from]` up to `source[to]` (exclusive) to `target[at]`, another array. Allocates nothing, but a view
 * when a large part of `source`, not the whole of it, is copied.
 */
export function copyRange(
  source: Uint8Array,
  from: number,
  to: number,
  target: Uint8Array,
  at: number,
): void {
  if (to - from >= NATIVE_COPY_BYTES_MIN) {
    if (from === 0 && to === source.length) {
      target.set(source, at);
      return;
    }
    if (to - from >= VIEW_COPY_BYTES_MIN) {
      target.set(source.subarray(from, to), at);
      return;
    }
  }
  for (let i = from; i < to; i++) target[at++] = source[i];
}

/** Moves `bytes[from]` up to `bytes[to]` down to `bytes[at]`, `at <= from`, in the same array; overlap is fine. */
export function moveDown(bytes: Uint8Array, at: number, from: number, to: number): void {
  // Espruino has no copyWithin; every other engine does it natively.
  if (bytes.copyWithin) {
    bytes.copyWithin(at, from, to);
    return;
  }
  for (let i = from; i < to; i++) bytes[at++] = bytes[i];
}

/** Whether two ranges of the same length hold the same bytes. */
export function isEqualRange(
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
  length: number,
): boolean {
  for (let i = 0; i < length; i++) if (a[aAt + i] !== b[bAt + i]) return false;
  return true;
}
