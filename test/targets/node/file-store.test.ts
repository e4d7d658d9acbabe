/**
 * The file store: what it gives back after the process ended at any byte of any write.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../../src/session/store.ts';
import { FileStore } from '../../../targets/node/file-store.ts';

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'motemq-store-'));
  file = join(folder, 'session.log');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

type Row = [kind: number, number: number, text: string];

function rows(store: FileStore): Row[] {
  const all: Row[] = [];
  store.each((kind, number, bytes) => all.push([kind, number, Buffer.from(bytes).toString()]));
  return all;
}

function put(store: FileStore, kind: number, number: number, text: string): boolean {
  const bytes = Buffer.from('..' + text);
  return store.put(kind, number, bytes, 2, text.length);
}

describe('FileStore', () => {
  it('gives back what was put, by kind and number, after it was opened again', () => {
    const store = new FileStore(file);
    put(store, STORED_RECEIVED, 9, '');
    put(store, STORED_MESSAGE, 4294967295, 'last');
    put(store, STORED_MESSAGE, 2, 'b');
    put(store, STORED_PROGRESS, 2, 'xyz');
    put(store, STORED_MESSAGE, 1, 'a');
    put(store, STORED_MESSAGE, 2, 'B');
    store.remove(STORED_MESSAGE, 1);
    const expected: Row[] = [
      [STORED_MESSAGE, 2, 'B'],
      [STORED_MESSAGE, 4294967295, 'last'],
      [STORED_PROGRESS, 2, 'xyz'],
      [STORED_RECEIVED, 9, ''],
    ];
    expect(rows(store)).toEqual(expected);
    store.close();
    expect(put(store, STORED_MESSAGE, 5, 'late')).toBe(false);
    const again = new FileStore(file, { fsync: false });
    expect(rows(again)).toEqual(expected);
    again.close();
  });

  it('after a cut at any byte has the state before or after the operation that was cut, and goes on', () => {
    const store = new FileStore(file, { fsync: false });
    const states: { bytes: number; rows: Row[] }[] = [{ bytes: 0, rows: [] }];
    const note = (): void => {
      states.push({ bytes: statSync(file).size, rows: rows(store) });
    };
    put(store, STORED_MESSAGE, 1, 'one');
    note();
    put(store, STORED_PROGRESS, 1, 'abc');
    note();
    store.remove(STORED_MESSAGE, 1);
    note();
    put(store, STORED_MESSAGE, 2, 'two');
    note();
    store.close();
    const log = readFileSync(file);
    for (let bytes = 0; bytes <= log.length; bytes++) {
      writeFileSync(file, log);
      truncateSync(file, bytes);
      const cut = new FileStore(file, { fsync: false });
      const state = states.filter((one) => one.bytes <= bytes).pop();
      expect(rows(cut), `cut at byte ${String(bytes)}`).toEqual(state?.rows);
      put(cut, STORED_MESSAGE, 7, 'new');
      cut.close();
      const later = new FileStore(file, { fsync: false });
      expect(rows(later)).toContainEqual([STORED_MESSAGE, 7, 'new']);
      later.close();
    }
  });

  it('stops at a record whose bytes were changed', () => {
    const store = new FileStore(file, { fsync: false });
    put(store, STORED_MESSAGE, 1, 'one');
    const { size } = statSync(file);
    put(store, STORED_MESSAGE, 2, 'two');
    store.close();
    const log = readFileSync(file);
    log[size + 15] ^= 1;
    writeFileSync(file, log);
    const again = new FileStore(file);
    expect(rows(again)).toEqual([[STORED_MESSAGE, 1, 'one']]);
    again.close();
  });

  it('stays in proportion to what it keeps', () => {
    const store = new FileStore(file, { fsync: false });
    for (let i = 1; i <= 5000; i++) {
      put(store, STORED_MESSAGE, i, 'x'.repeat(100));
      if (i > 3) store.remove(STORED_MESSAGE, i - 3);
    }
    expect(store.size).toBe(3);
    expect(statSync(file).size).toBeLessThan(2 * 65536);
    store.close();
    const again = new FileStore(file);
    expect(again.size).toBe(3);
    again.close();
  });
});
