/**
 * What happened in a world, in order: a hash of all of it and of every byte that went over the network, the last lines for
 * whoever asks why, and every line for whoever wants them. Two runs with the same hash were the same.
 */
const LINES_KEPT = 200;

export class Trace {
  private readonly kept: string[] = [];
  private first = 0;
  private high = 0x811c9dc5;
  private low = 0x01000193;
  private readonly sink: ((line: string) => void) | null;

  /** `sink` gets each line as it is written; `isHashed`: behind the hash of all up to its end, and a space. */
  constructor(sink: ((line: string) => void) | null, isHashed = false) {
    this.sink = sink !== null && isHashed ? (line) => sink(`${this.hash()} ${line}`) : sink;
  }

  /** Notes what happened: a line without line ends. */
  note(atMs: number, line: string): void {
    const text = `${atMs} ${line}`;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      this.high = Math.imul(this.high ^ code, 0x01000193);
      this.low = Math.imul(this.low, 0x5bd1e995) ^ code ^ (this.high >>> 15);
    }
    this.sink?.(text);
    if (this.kept.length < LINES_KEPT) {
      this.kept.push(text);
    } else {
      this.kept[this.first] = text;
      this.first = (this.first + 1) % LINES_KEPT;
    }
  }

  /** Notes bytes that were sent or received, which have no line of their own. */
  noteBytes(isSent: boolean, bytes: Uint8Array): void {
    let high = Math.imul(this.high ^ (isSent ? ~bytes.length : bytes.length), 0x01000193);
    let { low } = this;
    for (let i = 0; i < bytes.length; i++) {
      high = Math.imul(high ^ bytes[i], 0x01000193);
      low = Math.imul(low, 0x5bd1e995) ^ bytes[i] ^ (high >>> 15);
    }
    this.high = high;
    this.low = low;
  }

  /** 16 hex digits. */
  hash(): string {
    return hex(this.high) + hex(this.low);
  }

  /** The last lines, the oldest first. */
  tail(count: number): string[] {
    const lines = [...this.kept.slice(this.first), ...this.kept.slice(0, this.first)];
    return lines.slice(-count);
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0');
}
