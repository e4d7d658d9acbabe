/**
 * Pieces of text that are written again and again, encoded once and kept in one array: on XS a string that is read
 * character by character makes two objects a character, and an array for each piece would cost more than the piece.
 */
import { copyRange } from '../wire/bytes.ts';

export class Phrases {
  /** The pieces, one behind the other. */
  bytes: Uint8Array;
  /** Where each ends. */
  ends: Uint16Array;

  constructor(pieces: readonly Uint8Array[]) {
    let byteLength = 0;
    for (let i = 0; i < pieces.length; i++) byteLength += pieces[i].length;
    this.bytes = new Uint8Array(byteLength);
    this.ends = new Uint16Array(pieces.length);
    let end = 0;
    for (let i = 0; i < pieces.length; i++) {
      this.bytes.set(pieces[i], end);
      end += pieces[i].length;
      this.ends[i] = end;
    }
  }

  /** Bytes of piece `i`. */
  byteLength(i: number): number {
    return this.ends[i] - (i === 0 ? 0 : this.ends[i - 1]);
  }

  /** Bytes of the longest of the pieces from `first` on. */
  byteLengthMax(first: number): number {
    let longest = 0;
    for (let i = first; i < this.ends.length; i++) {
      if (this.byteLength(i) > longest) longest = this.byteLength(i);
    }
    return longest;
  }

  /** Writes piece `i` at `at`; returns the offset behind it. */
  write(i: number, bytes: Uint8Array, at: number): number {
    const from = i === 0 ? 0 : this.ends[i - 1];
    const to = this.ends[i];
    copyRange(this.bytes, from, to, bytes, at);
    return at + to - from;
  }
}
