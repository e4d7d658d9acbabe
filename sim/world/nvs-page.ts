/**
 * One page of NVS, as ESP-IDF keeps it in a sector of flash: a head, a table with two bits for each entry, 126 entries of 32
 * bytes. An entry counts once its bits in the table say so, which is after it was written; what a power cut left half done
 * is taken out when the page is loaded. Items have different names: nothing is replaced. Knows nothing of other pages.
 *
 * Written from the description of the format in ESP-IDF's documentation and from what its code was seen to do. In one
 * thing it is kinder: a second cut, in the very word of the table by which NVS takes out what the first one left, can make
 * NVS write over entries that the table has as erased, or refuse to start; here such a page is repaired.
 */
import { crc32 } from '../../targets/node/crc32.ts';
import { SECTOR_BYTES, type SimFlash } from './flash.ts';

export const ENTRY_BYTES = 32;
export const ENTRY_COUNT = 126;
const TABLE_OFFSET = 32;
const ENTRIES_OFFSET = 64;
const VERSION = 0xfe;

// What a page is for: each only clears bits of the one before.
export const PAGE_EMPTY = 0xffffffff;
export const PAGE_ACTIVE = 0xfffffffe;
export const PAGE_FULL = 0xfffffffc;
/** What is of use in it is being copied to another page. */
export const PAGE_FREEING = 0xfffffff8;
/** Neither empty nor to be read: erased before it is used. */
export const PAGE_CORRUPT = 0;

// Two bits in the table. 1 is left by a cut on the way from empty to erased.
const ENTRY_EMPTY = 3;
const ENTRY_WRITTEN = 2;
const ENTRY_ERASED = 0;

// Types of items.
export const ITEM_U8 = 0x01;
export const ITEM_I32 = 0x14;
/** Bytes: one or more of DATA, in pages of their own if need be, and one INDEX, without which they do not count. */
export const ITEM_DATA = 0x42;
export const ITEM_INDEX = 0x48;
/** Chunk of what has none. */
export const NO_CHUNK = 0xff;

export interface NvsItem {
  /** 0 for the names of namespaces. */
  namespace: number;
  type: number;
  /** Of ITEM_DATA: its place among those of its value, from 0 or 128. */
  chunk: number;
  /** 15 ASCII characters at most. */
  key: string;
  /** 8 bytes; of ITEM_DATA they are made from `data`. */
  value: Uint8Array;
}

/** What an item is found by: numbers share their keys. */
export function nameOf(namespace: number, type: number, chunk: number, key: string): string {
  const kind = type === ITEM_DATA ? 'd' : type === ITEM_INDEX ? 'x' : 'n';
  return `${namespace}${kind}${chunk} ${key}`;
}

export function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

export function putWord(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = (value >>> (8 * i)) & 255;
}

function entriesFor(byteLength: number): number {
  return Math.ceil(byteLength / ENTRY_BYTES);
}

export class NvsPage {
  state = PAGE_CORRUPT;
  /** Order in which pages came into use. */
  sequence = 0;
  /** Entries that are of use, and the first that was never written. */
  usedCount = 0;
  nextEmpty = 0;
  /** First entry of each item, by its name, in the order of writing. */
  readonly items = new Map<string, number>();
  private readonly flash: SimFlash;
  private readonly sector: number;
  private table = new Uint8Array(ENTRY_BYTES).fill(0xff);

  /** Loads the page in a sector, and repairs it. */
  constructor(flash: SimFlash, sector: number) {
    this.flash = flash;
    this.sector = sector;
    const head = this.read(0, ENTRIES_OFFSET);
    const state = wordAt(head, 0);
    if (state === PAGE_EMPTY) {
      if (this.read(0, SECTOR_BYTES).every((byte) => byte === 0xff)) this.state = PAGE_EMPTY;
      return;
    }
    const isKnown = state === PAGE_ACTIVE || state === PAGE_FULL || state === PAGE_FREEING;
    if (!isKnown || checksum(head, 4, 28) !== wordAt(head, 28)) return;
    this.state = state;
    this.sequence = wordAt(head, 4);
    this.table = head.slice(TABLE_OFFSET);
    this.load();
  }

  private load(): void {
    this.nextEmpty = ENTRY_COUNT;
    if (this.state === PAGE_ACTIVE) {
      let at = ENTRY_COUNT;
      while (at > 0 && this.entryState(at - 1) === ENTRY_EMPTY) at--;
      // Written, perhaps, but not yet in the table.
      while (at < ENTRY_COUNT && wordAt(this.readEntry(at), 0) !== 0xffffffff) this.mark(at++, ENTRY_ERASED);
      this.nextEmpty = at;
    }
    for (let at = 0; at < this.nextEmpty && at < ENTRY_COUNT;) at += this.loadEntry(at);
    this.usedCount = 0;
    for (let at = 0; at < ENTRY_COUNT; at++) if (this.entryState(at) === ENTRY_WRITTEN) this.usedCount++;
  }

  /** Takes in, or out, what begins with an entry. Returns how many entries that are. */
  private loadEntry(at: number): number {
    const state = this.entryState(at);
    if (state === ENTRY_ERASED || state === ENTRY_EMPTY) return 1;
    const entry = this.readEntry(at);
    const span = entry[2];
    if (state !== ENTRY_WRITTEN || !isWhole(entry)) {
      this.mark(at, ENTRY_ERASED);
      return 1;
    }
    for (let i = at; i < at + span; i++) {
      if (this.entryState(i) === ENTRY_WRITTEN) continue;
      this.markRange(at, at + span, ENTRY_ERASED);
      this.nextEmpty = Math.max(this.nextEmpty, at + span);
      return span;
    }
    this.items.set(nameOf(entry[0], entry[1], entry[3], keyIn(entry)), at);
    return span;
  }

  /** Makes it the page that is written to; its head is written with the first item. */
  activate(sequence: number): void {
    if (this.state !== PAGE_EMPTY) this.eraseAll();
    this.sequence = sequence;
  }

  /** Erases the sector. */
  eraseAll(): void {
    this.flash.erase(this.sector);
    this.state = PAGE_EMPTY;
    this.table.fill(0xff);
    this.items.clear();
    this.usedCount = 0;
    this.nextEmpty = 0;
  }

  /** Bytes of ITEM_DATA that fit behind what is there. */
  get tailroom(): number {
    if (this.state === PAGE_FULL) return 0;
    return Math.max(0, ENTRY_COUNT - this.nextEmpty - 1) * ENTRY_BYTES;
  }

  setState(state: number): void {
    const word = new Uint8Array(4);
    putWord(word, 0, state);
    this.program(0, word);
    this.state = state;
  }

  /** Writes an item, of ITEM_DATA with its bytes. False, and nothing is written, when there is no room in this page. */
  write(item: NvsItem, data: Uint8Array): boolean {
    if (this.state === PAGE_EMPTY) this.begin();
    const span = 1 + entriesFor(data.length);
    if (this.state !== PAGE_ACTIVE || this.nextEmpty + span > ENTRY_COUNT) return false;
    const at = this.nextEmpty;
    this.writeEntry(encode(item, span, data));
    const wholeBytes = data.length - (data.length % ENTRY_BYTES);
    if (wholeBytes > 0) {
      const begin = this.nextEmpty;
      this.program(ENTRIES_OFFSET + begin * ENTRY_BYTES, data.subarray(0, wholeBytes));
      this.markRange(begin, begin + wholeBytes / ENTRY_BYTES, ENTRY_WRITTEN);
      this.usedCount += wholeBytes / ENTRY_BYTES;
      this.nextEmpty += wholeBytes / ENTRY_BYTES;
    }
    if (wholeBytes < data.length) {
      const last = new Uint8Array(ENTRY_BYTES).fill(0xff);
      last.set(data.subarray(wholeBytes));
      this.writeEntry(last);
    }
    this.items.set(nameOf(item.namespace, item.type, item.chunk, item.key), at);
    return true;
  }

  /** Erases an item. False when it is not here. */
  erase(name: string): boolean {
    const at = this.items.get(name);
    if (at === undefined) return false;
    this.items.delete(name);
    this.eraseAt(at);
    return true;
  }

  /** The entry that an item begins with, or undefined. */
  find(name: string): Uint8Array | undefined {
    const at = this.items.get(name);
    return at === undefined ? undefined : this.readEntry(at);
  }

  /** The bytes of an item of ITEM_DATA; undefined when they are not what was written. */
  dataOf(name: string): Uint8Array | undefined {
    const at = this.items.get(name);
    if (at === undefined) return undefined;
    const entry = this.readEntry(at);
    const data = this.read(ENTRIES_OFFSET + (at + 1) * ENTRY_BYTES, entry[24] | (entry[25] << 8));
    return checksum(data, 0, data.length) === wordAt(entry, 28) ? data : undefined;
  }

  /** Writes everything that is of use here to another page, which must be empty. */
  copyTo(other: NvsPage): void {
    for (const [name, at] of this.items) {
      const span = this.readEntry(at)[2];
      if (other.state === PAGE_EMPTY) other.begin();
      other.items.set(name, other.nextEmpty);
      for (let i = at; i < at + span; i++) other.writeEntry(this.readEntry(i));
    }
  }

  private begin(): void {
    const head = new Uint8Array(ENTRY_BYTES).fill(0xff);
    putWord(head, 0, PAGE_ACTIVE);
    putWord(head, 4, this.sequence);
    head[8] = VERSION;
    putWord(head, 28, checksum(head, 4, 28));
    this.program(0, head);
    this.state = PAGE_ACTIVE;
  }

  private writeEntry(entry: Uint8Array): void {
    this.program(ENTRIES_OFFSET + this.nextEmpty * ENTRY_BYTES, entry);
    this.mark(this.nextEmpty, ENTRY_WRITTEN);
    this.usedCount++;
    this.nextEmpty++;
  }

  private eraseAt(at: number): void {
    const span = this.readEntry(at)[2];
    this.markRange(at, at + span, ENTRY_ERASED);
    this.usedCount -= span;
  }

  private entryState(at: number): number {
    return (this.table[at >> 2] >> ((at & 3) * 2)) & 3;
  }

  private mark(at: number, state: number): void {
    this.markRange(at, at + 1, state);
  }

  /** From the end, word by word: the entry that an item begins with comes last. */
  private markRange(start: number, end: number, state: number): void {
    for (let at = end - 1; at >= start; at--) {
      this.table[at >> 2] &= (state << ((at & 3) * 2)) | ~(3 << ((at & 3) * 2));
      if (at > start && (at & 15) !== 0) continue;
      const word = (at >> 4) * 4;
      this.program(TABLE_OFFSET + word, this.table.subarray(word, word + 4));
    }
  }

  private readEntry(at: number): Uint8Array {
    return this.read(ENTRIES_OFFSET + at * ENTRY_BYTES, ENTRY_BYTES);
  }

  private read(offset: number, byteLength: number): Uint8Array {
    return this.flash.read(this.sector * SECTOR_BYTES + offset, byteLength);
  }

  private program(offset: number, bytes: Uint8Array): void {
    this.flash.program(this.sector * SECTOR_BYTES + offset, bytes);
  }
}

/** ESP-IDF begins with all bits set. */
function checksum(bytes: Uint8Array, start: number, end: number): number {
  return crc32(bytes, start, end, 0xffffffff);
}

/** Of an entry, without the place where it stands. */
function checksumOf(entry: Uint8Array): number {
  return crc32(entry, 8, ENTRY_BYTES, checksum(entry, 0, 4));
}

/** Whether an entry that begins an item is as it was written. */
function isWhole(entry: Uint8Array): boolean {
  return entry[2] > 0 && checksumOf(entry) === wordAt(entry, 4);
}

function encode(item: NvsItem, span: number, data: Uint8Array): Uint8Array {
  const entry = new Uint8Array(ENTRY_BYTES);
  entry[0] = item.namespace;
  entry[1] = item.type;
  entry[2] = span;
  entry[3] = item.chunk;
  for (let i = 0; i < item.key.length; i++) entry[8 + i] = item.key.charCodeAt(i);
  entry.set(item.value, 24);
  if (item.type === ITEM_DATA) {
    entry[24] = data.length & 255;
    entry[25] = data.length >> 8;
    entry[26] = entry[27] = 0xff;
    putWord(entry, 28, checksum(data, 0, data.length));
  }
  putWord(entry, 4, checksumOf(entry));
  return entry;
}

/** The key in an entry that begins an item. */
export function keyIn(entry: Uint8Array): string {
  let key = '';
  for (let i = 8; i < 24 && entry[i] !== 0; i++) key += String.fromCharCode(entry[i]);
  return key;
}
