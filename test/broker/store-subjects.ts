/**
 * The stores that there are, each with a crash of its own, for tests that try all of them.
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openLmdbStore } from '../../sim/broker/lmdb-store.ts';
import { MemoryStore } from '../../sim/broker/memory-store.ts';
import type { BrokerStore } from '../../sim/broker/store.ts';

/** A store that is tried, and what becomes of it when its broker dies at this moment. */
export interface Subject {
  store: BrokerStore;
  /** Another broker's store on what is left. */
  crash(): Promise<BrokerStore>;
}

const cleanUps: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function openLmdb(directory: string): Promise<Subject> {
  const store = await openLmdbStore(directory);
  cleanUps.push(() => store.close());
  return {
    store,
    // Copied as it is now, the file is what a process that is killed leaves.
    crash: async () => {
      const copy = `${directory}-copy`;
      mkdirSync(copy);
      copyFileSync(join(directory, 'data.mdb'), join(copy, 'data.mdb'));
      return (await openLmdb(copy)).store;
    },
  };
}

function openMemory(): Promise<Subject> {
  const store = new MemoryStore();
  return Promise.resolve({
    store,
    crash: () => {
      store.crash();
      return Promise.resolve(store);
    },
  });
}

export const SUBJECTS: Record<string, () => Promise<Subject>> = {
  LMDB: () => {
    const folder = mkdtempSync(join(tmpdir(), 'motemq-store-'));
    cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
    return openLmdb(join(folder, 'store'));
  },
  memory: openMemory,
};
