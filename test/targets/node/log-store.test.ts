/**
 * The log store on a disk that fails: what was promised is there whatever comes after, and what was refused is not.
 */
import { beforeEach, describe, expect, it } from 'vitest';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../../src/session/store.ts';
import type { DiskOperation } from '../../../sim/world/disk.ts';
import { SimDisk } from '../../../sim/world/disk.ts';
import { Power } from '../../../sim/world/power.ts';
import { crc32 } from '../../../targets/node/crc32.ts';
import { LogStore } from '../../../targets/node/log-store.ts';

let disk: SimDisk;
let store: LogStore;

beforeEach(() => {
  // Of what is not synced, nothing survives.
  disk = new SimDisk(new Power({ below: () => 0 }));
  store = new LogStore(disk, true);
});

function put(number: number, byteLength = 5): boolean {
  return store.put(STORED_MESSAGE, number, new Uint8Array(byteLength).fill(number), 0, byteLength);
}

function failing<T>(operations: DiskOperation[], run: () => T): T {
  for (const operation of operations) disk.failing.add(operation);
  try {
    return run();
  } finally {
    disk.failing.clear();
  }
}

function numbers(): number[] {
  const found: number[] = [];
  store.each((_, number) => found.push(number));
  return found;
}

/** What is there after the process ended, which leaves what was written, or after a power cut, which does not. */
function numbersAfter(end: 'its end' | 'a power cut'): number[] {
  if (end === 'a power cut') disk.revive();
  store = new LogStore(disk, true);
  return numbers();
}

/** Messages that come and go until the log is written anew. */
function fillLog(): void {
  const { opened } = countOperations();
  for (let number = 1000; opened() === 0; number++) {
    put(number, 1000);
    store.remove(STORED_MESSAGE, number);
  }
}

/** A record of an empty message as the log has it. */
function recordOf(number: number): Uint8Array {
  const other = new SimDisk(new Power({ below: () => 0 }));
  new LogStore(other, true).put(STORED_MESSAGE, number, new Uint8Array(0), 0, 0);
  return other.read(other.open(false));
}

/** Counts new files from now on. */
function countOperations(): { opened: () => number } {
  let count = 0;
  const open = disk.open.bind(disk);
  disk.open = (isNew) => {
    if (isNew) count++;
    return open(isNew);
  };
  return { opened: () => count };
}

describe.each(['its end', 'a power cut'] as const)('a log store after %s', (end) => {
  it.each([
    ['is not written', ['write']],
    ['is not written, and cannot be taken back', ['write', 'truncate']],
    ['does not reach the disk', ['sync']],
    ['does not reach the disk, and cannot be taken back', ['sync', 'truncate']],
  ] as [string, DiskOperation[]][])(
    'has what was promised before and after a record that %s',
    (_, operations) => {
      put(1);
      store.remove(STORED_MESSAGE, 1);
      put(2);
      // Not synced, and lost with a sync that fails.
      store.remove(STORED_MESSAGE, 2);
      expect(failing(operations, () => put(3))).toBe(false);
      expect(put(4, 3)).toBe(true);
      expect(numbersAfter(end)).toEqual([4]);
      put(5);
      expect(numbersAfter(end)).toEqual([4, 5]);
    },
  );

  it('has what was promised after a sync that failed once', () => {
    put(1);
    put(2);
    store.remove(STORED_MESSAGE, 1);
    const { sync } = disk;
    disk.sync = (descriptor) => {
      disk.sync = sync;
      failing(['sync'], () => sync.call(disk, descriptor));
    };
    expect(put(3)).toBe(false);
    // The removal is not on the disk, and never would be: what comes behind it there is behind a hole.
    expect(put(4)).toBe(true);
    expect(numbersAfter(end)).toEqual([2, 4]);
  });

  it('has no record that was never put, whatever is in the bytes of one that was refused', () => {
    put(1);
    // Half of it is written, with a whole record in it, right behind where the next one ends.
    const inner = recordOf(99);
    const bytes = new Uint8Array(200);
    bytes.set(inner, 20);
    const isPut = failing(['write', 'truncate'], () => store.put(STORED_MESSAGE, 2, bytes, 0, 200));
    expect(isPut).toBe(false);
    expect(put(3, 20)).toBe(true);
    expect(numbersAfter(end)).toEqual([1, 3]);
  });

  it('does not have a record that was refused', () => {
    put(1);
    expect(failing(['sync'], () => put(2))).toBe(false);
    expect(numbersAfter(end)).toEqual([1]);
  });

  it('has no record that was behind a torn one', () => {
    const torn = disk.logBytes;
    put(1, 20);
    put(2, 20);
    const descriptor = disk.open(false);
    disk.write(descriptor, Uint8Array.of(255), torn + 20);
    disk.sync(descriptor);
    expect(numbersAfter(end)).toEqual([]);
    // As long as the torn one: what is behind it would be whole again.
    put(3, 20);
    expect(numbersAfter(end)).toEqual([3]);
  });

  it('promises nothing while it cannot write its log anew after a sync that failed', () => {
    put(1);
    failing(['sync'], () => put(2));
    expect(failing(['open'], () => put(3))).toBe(false);
    expect(failing(['replace'], () => put(3))).toBe(false);
    expect(failing(['syncNames'], () => put(3))).toBe(false);
    expect(put(4)).toBe(true);
    expect(numbersAfter(end)).toEqual([1, 4]);
  });

  it('goes on with the new log once it took the place of the old one, whatever fails then', () => {
    put(1);
    failing(['syncNames'], fillLog);
    expect(failing(['syncNames'], () => put(2))).toBe(false);
    expect(put(3)).toBe(true);
    expect(numbersAfter(end)).toEqual([1, 3]);
  });

  it.each(['open', 'write', 'sync', 'replace'] as const)(
    'goes on with the old log when %s fails for the new one',
    (operation) => {
      put(1);
      const { open } = disk;
      // Only from the new file on.
      disk.open = (isNew) => {
        if (isNew) disk.failing.add(operation);
        return open.call(disk, isNew);
      };
      for (let number = 1000; number < 1080; number++) {
        put(number, 1000);
        disk.failing.clear();
        store.remove(STORED_MESSAGE, number);
        disk.failing.clear();
      }
      expect(disk.logBytes).toBeGreaterThan(80_000);
      expect(put(2)).toBe(true);
      expect(numbersAfter(end)).toEqual([1, 2]);
    },
  );
});

describe('a log store', () => {
  it('does not try to write its log anew again and again', () => {
    const { opened } = countOperations();
    failing(['replace'], () => {
      for (let number = 1; number < 200; number++) {
        put(number, 1000);
        store.remove(STORED_MESSAGE, number);
      }
    });
    // At 64, 96 and 144 KB.
    expect(opened()).toBe(3);
    put(1, 200_000);
    store.remove(STORED_MESSAGE, 1);
    expect(opened()).toBe(4);
    expect(disk.logBytes).toBeLessThan(100);
    for (let number = 1; number < 200; number++) {
      put(number, 1000);
      store.remove(STORED_MESSAGE, number);
      expect(disk.logBytes).toBeLessThan(65536 + 2000);
    }
  });

  it('removes in order, also what could not be removed when it should', () => {
    put(1);
    store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 1, 1), 0, 3);
    failing(['write'], () => {
      store.remove(STORED_MESSAGE, 1);
      store.remove(STORED_RECEIVED, 1);
    });
    expect(numbersAfter('its end')).toEqual([1, 1]);
    failing(['write'], () => store.remove(STORED_MESSAGE, 1));
    store.remove(STORED_PROGRESS, 1);
    expect(numbersAfter('its end')).toEqual([]);
  });

  it('forgets nothing more when it is closed', () => {
    put(1);
    store.close();
    store.close();
    expect(put(2)).toBe(false);
    store.remove(STORED_MESSAGE, 1);
    expect(numbersAfter('its end')).toEqual([1]);
  });
});

it('checksums are those of zlib', () => {
  const bytes = Uint8Array.from('x123456789', (character) => character.charCodeAt(0));
  expect(crc32(bytes, 1, 10)).toBe(0xcbf43926);
  expect(crc32(bytes, 4, 10, crc32(bytes, 1, 4))).toBe(0xcbf43926);
  expect(crc32(bytes, 0, 0)).toBe(0);
});
