/**
 * ESP-IDF's NVS on a modelled flash, as far as Moddable's module `preference` uses it: numbers and bytes by a domain and a
 * key, in pages that are written one after the other and erased when most of them is of no use any more. One page is
 * always free. Opening it repairs what a power cut left; a cut on that is repaired by the next opening. Knows nothing of
 * sessions.
 *
 * `preference` erases a value before it writes another one under its key, so this one does not replace any.
 */
import type { PreferenceModule } from '../../targets/moddable/flash-store.ts';
import { FlashFailure, type SimFlash } from './flash.ts';
import {
  ENTRY_BYTES,
  ENTRY_COUNT,
  ITEM_DATA,
  ITEM_I32,
  ITEM_INDEX,
  ITEM_U8,
  NO_CHUNK,
  NvsPage,
  PAGE_ACTIVE,
  PAGE_CORRUPT,
  PAGE_EMPTY,
  PAGE_FREEING,
  PAGE_FULL,
  keyIn,
  nameOf,
  putWord,
  wordAt,
} from './nvs-page.ts';

const KEY_CHARACTERS_MAX = 15;
/** Bytes of one ITEM_DATA at most: a page without the entry it begins with. */
const DATA_BYTES_MAX = (ENTRY_COUNT - 1) * ENTRY_BYTES;
const NO_DATA = new Uint8Array(0);

export class SimNvs implements PreferenceModule {
  private readonly isRefusing: () => boolean;
  /** The flash failed: nothing is changed any more until it is opened again. */
  private isBroken = false;
  private readonly flash: SimFlash;
  /** In the order in which they came into use; the last is written to. */
  private readonly pages: NvsPage[] = [];
  private readonly free: NvsPage[] = [];
  private readonly namespaces = new Map<string, number>();
  private nextSequence = 0;

  /**
   * Opens, and repairs, what is on `flash`: three sectors or more. Setting and deleting throw, and change nothing, while
   * `isRefusing` says so: as when there is no memory for them.
   */
  constructor(flash: SimFlash, isRefusing = (): boolean => false) {
    this.flash = flash;
    this.isRefusing = isRefusing;
    for (let sector = 0; sector < flash.sectorCount; sector++) {
      const page = new NvsPage(flash, sector);
      (page.state === PAGE_EMPTY || page.state === PAGE_CORRUPT ? this.free : this.pages).push(page);
    }
    this.pages.sort((a, b) => a.sequence - b.sequence);
    if (this.pages.length === 0) this.activatePage();
    else this.nextSequence = this.pages[this.pages.length - 1].sequence + 1;
    this.finishFreeing();
    if (this.free.length === 0) throw new Error('nvs: no free page');
    this.eachItem((entry, page, name) => {
      if (entry[0] === 0) this.namespaces.set(keyIn(entry), entry[24]);
      else if (entry[1] === ITEM_DATA && !this.isIndexed(entry)) page.erase(name);
    });
  }

  // What `preference` does.

  keys(domain: string): string[] {
    const keys: string[] = [];
    const namespace = this.namespaces.get(domain);
    this.eachItem((entry) => {
      const isLater = entry[1] === ITEM_DATA && entry[3] > 0;
      if (entry[0] === namespace && entry[1] !== ITEM_INDEX && !isLater) keys.push(keyIn(entry));
    });
    return keys;
  }

  get(domain: string, key: string): unknown {
    this.flash.power.check();
    const namespace = this.namespaces.get(domain);
    if (namespace === undefined) return undefined;
    const number = this.find(nameOf(namespace, ITEM_I32, NO_CHUNK, key));
    if (number !== undefined) return wordAt(number, 24) | 0;
    return this.readBytes(namespace, key);
  }

  set(domain: string, key: string, value: ArrayBuffer | number): void {
    this.change(() => {
      if (key.length > KEY_CHARACTERS_MAX) throw new Error('nvs: key too long');
      const namespace = this.open(domain);
      this.eraseValue(namespace, key);
      if (typeof value === 'number') {
        const bytes = new Uint8Array(8).fill(0xff);
        putWord(bytes, 0, value);
        this.write(namespace, ITEM_I32, key, bytes);
      } else {
        this.writeBytes(namespace, key, new Uint8Array(value));
      }
    });
  }

  delete(domain: string, key: string): void {
    this.change(() => {
      const namespace = this.namespaces.get(domain);
      if (namespace !== undefined) this.eraseValue(namespace, key);
    });
  }

  private change(run: () => void): void {
    this.flash.power.check();
    if (this.isRefusing() || this.isBroken) throw new Error('nvs: refused');
    try {
      run();
    } catch (error) {
      this.isBroken ||= error instanceof FlashFailure;
      throw error;
    }
  }

  /** Entries that are of use, of all domains; one for each domain is its name. */
  get usedEntries(): number {
    return this.pages.reduce((sum, page) => sum + page.usedCount, 0);
  }

  // Values.

  private open(domain: string): number {
    const known = this.namespaces.get(domain);
    if (known !== undefined) return known;
    const namespace = this.namespaces.size + 1;
    const bytes = new Uint8Array(8).fill(0xff);
    bytes[0] = namespace;
    this.write(0, ITEM_U8, domain, bytes);
    this.namespaces.set(domain, namespace);
    return namespace;
  }

  private write(namespace: number, type: number, key: string, value: Uint8Array): void {
    const item = { namespace, type, chunk: NO_CHUNK, key, value };
    if (this.current.write(item, NO_DATA)) return;
    this.requestPage();
    if (!this.current.write(item, NO_DATA)) throw new Error('nvs: no room');
  }

  /** In as many pieces as pages it takes; the index, without which they do not count, last. */
  private writeBytes(namespace: number, key: string, bytes: Uint8Array): void {
    let at = 0;
    let chunk = 0;
    try {
      do {
        const { tailroom } = this.current;
        // A value that does not fit begins in this page only if a tenth of it is left.
        if (chunk === 0 && tailroom < Math.max(bytes.length, 1) && tailroom < DATA_BYTES_MAX / 10) {
          this.requestPage();
          if (this.current.tailroom === tailroom) throw new Error('nvs: no room');
          continue;
        }
        if (tailroom === 0) throw new Error('nvs: no room');
        const byteLength = Math.min(bytes.length - at, tailroom);
        const item = { namespace, type: ITEM_DATA, chunk, key, value: new Uint8Array(8) };
        this.current.write(item, bytes.subarray(at, at + byteLength));
        at += byteLength;
        chunk++;
        if (at < bytes.length || tailroom - byteLength < ENTRY_BYTES) this.requestPage();
      } while (at < bytes.length || chunk === 0);
      const index = new Uint8Array(8).fill(0xff);
      putWord(index, 0, bytes.length);
      index[4] = chunk;
      index[5] = 0;
      this.write(namespace, ITEM_INDEX, key, index);
    } catch (error) {
      for (let i = 0; i < chunk; i++) this.erase(nameOf(namespace, ITEM_DATA, i, key));
      throw error;
    }
  }

  private readBytes(namespace: number, key: string): ArrayBuffer | undefined {
    const index = this.find(nameOf(namespace, ITEM_INDEX, NO_CHUNK, key));
    if (index === undefined) return undefined;
    const bytes = new Uint8Array(wordAt(index, 24));
    let at = 0;
    for (let chunk = 0; chunk < index[28]; chunk++) {
      const name = nameOf(namespace, ITEM_DATA, chunk, key);
      const data = this.pages.find((page) => page.items.has(name))?.dataOf(name);
      if (data === undefined) return undefined;
      bytes.set(data, at);
      at += data.length;
    }
    return bytes.buffer;
  }

  private eraseValue(namespace: number, key: string): void {
    if (this.erase(nameOf(namespace, ITEM_I32, NO_CHUNK, key))) return;
    const index = nameOf(namespace, ITEM_INDEX, NO_CHUNK, key);
    const chunkCount = this.find(index)?.[28] ?? 0;
    // What is left without its index is taken out when it is opened the next time.
    this.erase(index);
    for (let chunk = 0; chunk < chunkCount; chunk++) this.erase(nameOf(namespace, ITEM_DATA, chunk, key));
  }

  // Items.

  private find(name: string): Uint8Array | undefined {
    return this.pages.find((page) => page.items.has(name))?.find(name);
  }

  private erase(name: string): boolean {
    return this.pages.some((page) => page.erase(name));
  }

  private eachItem(visit: (entry: Uint8Array, page: NvsPage, name: string) => void): void {
    for (const page of this.pages) {
      for (const name of Array.from(page.items.keys())) {
        const entry = page.find(name);
        if (entry !== undefined) visit(entry, page, name);
      }
    }
  }

  private isIndexed(data: Uint8Array): boolean {
    const index = this.find(nameOf(data[0], ITEM_INDEX, NO_CHUNK, keyIn(data)));
    return index !== undefined && data[3] < index[28];
  }

  // Pages.

  private get current(): NvsPage {
    return this.pages[this.pages.length - 1];
  }

  private activatePage(): void {
    const page = this.free[0];
    page.activate(this.nextSequence);
    this.free.shift();
    this.pages.push(page);
    this.nextSequence++;
  }

  /** Has another page to write to, with at least as much room as the fullest of no use gives when it is erased. */
  private requestPage(): void {
    if (this.current.state === PAGE_ACTIVE) this.current.setState(PAGE_FULL);
    if (this.free.length >= 2) {
      this.activatePage();
      return;
    }
    let emptiest = this.pages[0];
    for (const page of this.pages) if (page.usedCount < emptiest.usedCount) emptiest = page;
    if (emptiest.usedCount === ENTRY_COUNT) throw new Error('nvs: no room');
    emptiest.setState(PAGE_FREEING);
    this.activatePage();
    this.empty(emptiest);
  }

  /** Copies what is of use in `page` to the current one, and erases it. */
  private empty(page: NvsPage): void {
    page.copyTo(this.current);
    page.eraseAll();
    this.pages.splice(this.pages.indexOf(page), 1);
    this.free.push(page);
  }

  /** The power went while a page was being copied: what was copied is erased, and it begins anew. */
  private finishFreeing(): void {
    const freeing = this.pages.find((page) => page.state === PAGE_FREEING);
    if (freeing === undefined) return;
    if (this.current.state === PAGE_ACTIVE) {
      const copy = this.current;
      copy.eraseAll();
      this.pages.pop();
      this.free.push(copy);
    }
    this.activatePage();
    this.empty(freeing);
  }
}
