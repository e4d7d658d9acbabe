/**
 * What only a store in memory can be told: how its disk behaves, and when its broker dies.
 */
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../../sim/broker/memory-store.ts';
import { sessionOf } from './store-stage.ts';

describe('a store in memory', () => {
  it('commits when its disk says so, and takes along what came before', async () => {
    const finishes: ((error?: Error) => void)[] = [];
    const store = new MemoryStore((finish) => finishes.push(finish));
    const done: string[] = [];
    for (const clientId of ['one', 'two', 'three']) {
      store.putSession(sessionOf(clientId));
      void store.commit().then(() => done.push(clientId));
    }
    const clientIds = async (): Promise<string[]> =>
      (await store.load()).sessions.map(({ clientId }) => clientId);
    expect(await clientIds()).toEqual([]);
    finishes[1]();
    finishes[1]();
    expect(await clientIds()).toEqual(['one', 'two']);
    expect(done).toEqual(['two']);
    finishes[0]();
    expect(await clientIds()).toEqual(['one', 'two']);
    expect(store.commitsUnderWay).toBe(1);
    finishes[2]();
    expect(await clientIds()).toEqual(['one', 'two', 'three']);
    expect(store.commitsUnderWay).toBe(0);
  });

  it('fails when its disk says so, and keeps what it failed with for the next commit', async () => {
    const store = new MemoryStore((finish) => finish(new Error('full')));
    store.putSession(sessionOf('one'));
    await expect(store.commit()).rejects.toThrow('full');
    expect(store.hasChanges()).toBe(true);
    expect((await store.load()).sessions).toEqual([]);
    store.disk = (finish) => finish();
    await store.commit();
    expect((await store.load()).sessions).toHaveLength(1);
  });

  it.each([
    [0, []],
    [1, ['one']],
    [2, ['one', 'two']],
    [9, ['one', 'two']],
  ])('crashes with %i of the commits under way on the disk, and nobody told', async (landedCount, left) => {
    const finishes: ((error?: Error) => void)[] = [];
    const store = new MemoryStore((finish) => finishes.push(finish));
    let isTold = false;
    for (const clientId of ['one', 'two']) {
      store.putSession(sessionOf(clientId));
      store.commit().then(
        () => (isTold = true),
        () => (isTold = true),
      );
    }
    store.putSession(sessionOf('three'));
    store.crash(landedCount);
    for (const finish of finishes) finish();
    expect((await store.load()).sessions.map(({ clientId }) => clientId)).toEqual(left);
    expect(isTold).toBe(false);
    expect(store.hasChanges()).toBe(false);
  });
});
