/**
 * A session store in small values: what comes back after a restart, and after a power cut between any two of its writes.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../../src/session/store.ts';
import { FlashStore, preferenceValues, storageValues } from '../../../targets/moddable/flash-store.ts';
import type { Values } from '../../../targets/moddable/flash-store.ts';

/** What is in flash, and a power cut after so many changes of it. */
class Flash {
  readonly values = new Map<string, ArrayBuffer | number>();
  changesLeft = Infinity;
  /** Every change, as `+key` and `-key`. */
  readonly diary: string[] = [];

  set(key: string, value: unknown): void {
    if (!/^[a-z][0-9a-z]{1,7}$/.test(key)) throw new Error(`a name that NVS would not take: ${key}`);
    if (!(value instanceof ArrayBuffer) && (typeof value !== 'number' || value >>> 16 !== 0))
      throw new Error('not a value');
    this.change('+' + key);
    this.values.set(key, value);
  }

  delete(key: string): void {
    if (!this.values.has(key)) return;
    this.change('-' + key);
    this.values.delete(key);
  }

  private change(what: string): void {
    if (this.changesLeft-- <= 0) throw new Error('power cut');
    this.diary.push(what);
  }
}

let flash: Flash;

beforeEach(() => {
  flash = new Flash();
});

/** As the module `preference` on an ESP32: replacing a value takes the old one away first. */
function preference(): Values {
  const check = (domain: string): void => expect(domain).toBe('motemq');
  return preferenceValues(
    {
      keys: (domain) => (check(domain), [...flash.values.keys()]),
      get: (domain, key) => (check(domain), flash.values.get(key)),
      set: (domain, key, value) => {
        check(domain);
        flash.delete(key);
        flash.set(key, value);
      },
      delete: (domain, key) => {
        check(domain);
        flash.delete(key);
      },
    },
    'motemq',
  );
}

/** As ECMA-419's storage on an ESP32: a value is read in the format it was written in. */
function storage(): Values {
  return storageValues({
    format: 'buffer',
    read(key) {
      const value = flash.values.get(key);
      if (value !== undefined && (this.format === 'buffer') !== value instanceof ArrayBuffer)
        throw new TypeError('mismatch');
      return value;
    },
    write(key, value) {
      if ((this.format === 'buffer') !== value instanceof ArrayBuffer) throw new TypeError('mismatch');
      flash.set(key, value);
    },
    delete: (key) => flash.delete(key),
    [Symbol.iterator]: () => flash.values.keys(),
  });
}

function contentOf(store: FlashStore): [number, number, number[]][] {
  const content: [number, number, number[]][] = [];
  store.each((kind, number, bytes) => content.push([kind, number, [...bytes]]));
  return content;
}

const record = Uint8Array.of(9, 9, 1, 2, 3, 4, 9);

describe.each([
  ['preference', preference],
  ['key-value storage', storage],
])('in %s', (_, values) => {
  const open = (): FlashStore => new FlashStore(values());

  it('keeps records across restarts, by kind and number', () => {
    const store = open();
    expect(store.put(STORED_RECEIVED, 65535, record, 0, 0)).toBe(true);
    expect(store.put(STORED_PROGRESS, 4294967295, Uint8Array.of(9, 1, 2, 0), 1, 3)).toBe(true);
    expect(store.put(STORED_PROGRESS, 35, Uint8Array.of(255, 254, 1), 0, 3)).toBe(true);
    expect(store.put(STORED_MESSAGE, 4294967295, record, 2, 4)).toBe(true);
    expect(store.put(STORED_MESSAGE, 36, record, 0, 1)).toBe(true);
    expect(store.put(STORED_RECEIVED, 9, record, 0, 0)).toBe(true);
    record.fill(0); // it was copied
    expect(contentOf(open())).toEqual([
      [STORED_MESSAGE, 36, [9]],
      [STORED_MESSAGE, 4294967295, [1, 2, 3, 4]],
      [STORED_PROGRESS, 35, [255, 254, 1]],
      [STORED_PROGRESS, 4294967295, [1, 2, 0]],
      [STORED_RECEIVED, 9, []],
      [STORED_RECEIVED, 65535, []],
    ]);
    record.set([9, 9, 1, 2, 3, 4, 9]);
  });

  it('forgets what is removed', () => {
    const store = open();
    store.put(STORED_MESSAGE, 1, record, 0, 7);
    store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 1, 0), 0, 3);
    store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 1, 1), 0, 3);
    store.put(STORED_RECEIVED, 1, record, 0, 0);
    store.remove(STORED_MESSAGE, 1);
    expect(contentOf(store).map(([kind]) => kind)).toEqual([STORED_PROGRESS, STORED_RECEIVED]);
    store.remove(STORED_PROGRESS, 1);
    store.remove(STORED_RECEIVED, 1);
    store.remove(STORED_RECEIVED, 2);
    expect(flash.values.size).toBe(0);
  });

  it('replaces how far a message came, and never has nothing to say about it', () => {
    const progress = [Uint8Array.of(0, 7, 0), Uint8Array.of(0, 7, 1)];
    for (let changes = 0; ; changes++) {
      flash = new Flash();
      const store = open();
      store.put(STORED_MESSAGE, 1, record, 0, 7);
      store.put(STORED_PROGRESS, 1, progress[0], 0, 3);
      flash.changesLeft = changes;
      const isKept = store.put(STORED_PROGRESS, 1, progress[1], 0, 3);
      flash.changesLeft = Infinity;
      const found = contentOf(open()).filter(([kind]) => kind === STORED_PROGRESS);
      expect(found).toEqual([[STORED_PROGRESS, 1, isKept ? [0, 7, 1] : [0, 7, 0]]]);
      if (changes > 3) return;
    }
  });

  it('takes what a message left behind away, whenever the power goes', () => {
    for (let changes = 0; changes < 4; changes++) {
      flash = new Flash();
      const store = open();
      store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 7, 0), 0, 3);
      store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 7, 1), 0, 3);
      expect(flash.values.size).toBe(2);
      flash.changesLeft = changes;
      store.remove(STORED_PROGRESS, 1);
      flash.changesLeft = Infinity;
      const left = contentOf(open());
      expect(left.every(([, , bytes]) => bytes[2] === 1)).toBe(true);
      if (left.length > 0) open().remove(STORED_PROGRESS, 1);
      expect(flash.values.size).toBe(0);
    }
  });

  it('keeps a received identifier that comes again, whenever the power goes, and writes nothing', () => {
    const store = open();
    store.put(STORED_RECEIVED, 9, record, 0, 0);
    flash.changesLeft = 0;
    expect(store.put(STORED_RECEIVED, 9, record, 0, 0)).toBe(true);
    expect(contentOf(open())).toEqual([[STORED_RECEIVED, 9, []]]);
    expect(flash.diary).toEqual(['+q9']);
  });

  it('deletes in order, also what could not be deleted when it should', () => {
    const store = open();
    store.put(STORED_MESSAGE, 1, record, 0, 7);
    store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 7, 1), 0, 3);
    flash.changesLeft = 0;
    store.remove(STORED_MESSAGE, 1);
    expect(store.put(STORED_RECEIVED, 2, record, 0, 0)).toBe(false);
    flash.changesLeft = 1;
    store.remove(STORED_PROGRESS, 1);
    // Without this the message would come back as one that was never sent.
    expect(contentOf(open())).toEqual([[STORED_PROGRESS, 1, [0, 7, 1]]]);
    flash.changesLeft = Infinity;
    expect(store.put(STORED_RECEIVED, 2, record, 0, 0)).toBe(true);
    expect(contentOf(open())).toEqual([[STORED_RECEIVED, 2, []]]);
  });

  it('says when there is no room', () => {
    const store = open();
    flash.changesLeft = 0;
    expect(store.put(STORED_MESSAGE, 1, record, 0, 7)).toBe(false);
    expect(store.put(STORED_PROGRESS, 1, record, 0, 3)).toBe(false);
    expect(store.put(STORED_RECEIVED, 1, record, 0, 0)).toBe(false);
    store.remove(STORED_RECEIVED, 1);
    flash.changesLeft = Infinity;
    expect(contentOf(open())).toEqual([]);
  });

  it('leaves alone what is not its own', () => {
    flash.values.set('x1', 5);
    flash.values.set('m01', new ArrayBuffer(4));
    flash.values.set('m1.5', new ArrayBuffer(4));
    flash.values.set('m', new ArrayBuffer(4));
    flash.values.set('m-1', new ArrayBuffer(4));
    expect(contentOf(open())).toEqual([]);
  });

  it('writes each value once: what wears the flash out', () => {
    const store = open();
    store.put(STORED_MESSAGE, 1, record, 0, 7);
    store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 7, 0), 0, 3);
    store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 7, 1), 0, 3);
    store.remove(STORED_MESSAGE, 1);
    store.remove(STORED_PROGRESS, 1);
    expect(flash.diary.filter((change) => change.startsWith('+'))).toEqual(['+m1', '+s1', '+r1']);
    expect(flash.values.size).toBe(0);
  });
});
