/**
 * Hex as people write it, piece by piece: digits in either case, with white space, colons and 0x between the bytes.
 * Keeps what was read until it is taken away from the front. Knows nothing of packets.
 */
import { hexDigit } from '../../src/packets/inspect-fields.ts';

/** What is wrong with the text, and where. */
export interface HexError {
  message: string;
  /** Whole bytes before it, from the start of all that was read. */
  offset: number;
  /** Characters before it, from the start of all that was read. */
  character: number;
}

const SEPARATOR = /[\s:]/;
const BYTES_MIN = 1 << 16;

export class HexReader {
  /** What was wrong with the text, after which nothing more is read. */
  error: HexError | undefined;
  /** Bytes taken away so far. */
  taken = 0;
  private storage = new Uint8Array(BYTES_MIN);
  private start = 0;
  private end = 0;
  /** The first digit of a byte, or -1. */
  private high = -1;
  /** Whether that digit is a 0 that begins a word: then it may be that of 0x. */
  private isPrefix = false;
  /** Whether the next digit begins a word. */
  private isWordStart = true;
  private characters = 0;

  /** The bytes read and not taken away; valid until the next call. */
  bytes(): Uint8Array {
    return this.storage.subarray(this.start, this.end);
  }

  /** Takes `count` bytes away from the front. */
  take(count: number): void {
    this.start += count;
    this.taken += count;
  }

  /** Reads on; false when the text is wrong, now or before. */
  push(text: string): boolean {
    this.reserve((text.length >> 1) + 1);
    for (let i = 0; i < text.length && !this.error; i++) {
      this.pushCharacter(text[i]);
      this.characters++;
    }
    return !this.error;
  }

  /** Says that the text has ended; false when it ends in the middle of a byte. */
  finish(): boolean {
    if (!this.error && this.high >= 0) this.fail('a last byte of one digit');
    return !this.error;
  }

  private pushCharacter(character: string): void {
    const digit = hexDigit(character.charCodeAt(0));
    if (digit >= 0) {
      if (this.high < 0) {
        this.high = digit;
        this.isPrefix = this.isWordStart && digit === 0;
      } else {
        this.storage[this.end++] = (this.high << 4) | digit;
        this.high = -1;
      }
      this.isWordStart = false;
    } else if (SEPARATOR.test(character)) {
      if (character === ':' && this.high >= 0) this.fail('a byte of one digit before a colon');
      // Lines may be broken in the middle of a byte: white space does not end it.
      this.isWordStart = this.high < 0;
      this.isPrefix = false;
    } else if ((character === 'x' || character === 'X') && this.high >= 0 && this.isPrefix) {
      this.high = -1;
      this.isPrefix = false;
    } else {
      this.fail(`${JSON.stringify(character)} is no hex digit`);
    }
  }

  private fail(message: string): void {
    const offset = this.taken + this.end - this.start;
    this.error = { message, offset, character: this.characters };
  }

  /** Makes room for `count` more bytes: what is left moves to the front, of twice the storage if it has to. */
  private reserve(count: number): void {
    const left = this.end - this.start;
    if (this.end + count <= this.storage.length) return;
    let byteLength = this.storage.length;
    while (byteLength < 2 * left + count) byteLength *= 2;
    if (byteLength === this.storage.length) {
      this.storage.copyWithin(0, this.start, this.end);
    } else {
      const storage = new Uint8Array(byteLength);
      storage.set(this.bytes());
      this.storage = storage;
    }
    this.start = 0;
    this.end = left;
  }
}
