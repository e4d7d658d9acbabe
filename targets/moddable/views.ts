/**
 * Views of the beginning of a buffer, remembered: sockets that take a whole array and no range need one for every length,
 * and steady traffic has few lengths. Knows nothing of sockets.
 */

import { NO_BYTES } from '../../src/wire/bytes.ts';

/** How many are remembered: each takes about five slots of an XS heap. */
const VIEWS_MAX = 4;

export class Views {
  /** Whose views they are, and the one that was asked for last with its length. */
  private bytes: Uint8Array | undefined = undefined;
  private last: Uint8Array = NO_BYTES;
  private lastLength = -1;
  private views: Uint8Array[] = [];
  private next = 0;

  /**
   * A view of the first `length` of `bytes`. It is the same object as before as long as the same `bytes` are asked for:
   * where a ring is emptied each time, its content begins there.
   */
  get(bytes: Uint8Array, length: number): Uint8Array {
    return length === this.lastLength && bytes === this.bytes ? this.last : this.find(bytes, length);
  }

  private find(bytes: Uint8Array, length: number): Uint8Array {
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.views = [];
      this.next = 0;
    }
    let view = this.views.find((one) => one.length === length);
    if (view === undefined) {
      view = length === bytes.length ? bytes : bytes.subarray(0, length);
      this.views[this.next] = view;
      this.next = this.next + 1 === VIEWS_MAX ? 0 : this.next + 1;
    }
    this.last = view;
    this.lastLength = length;
    return view;
  }
}
