/**
 * Who watches a device's store: what the store must have after a power cut, what it may have, and what is reported of one
 * that forgets, makes up or changes what it keeps. A watch that says nothing of that would be a defect.
 */
import { describe, expect, it } from 'vitest';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import { MemoryStore } from '../../sim/world/memory-session-store.ts';
import { Power } from '../../sim/world/power.ts';
import { PowerLost } from '../../sim/world/sim-board.ts';
import type { StoreKind } from '../../sim/world/sim-device.ts';
import { StoreWatch } from '../../sim/world/store-watch.ts';
import { makeDeviceStore } from '../../sim/world/stores.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import { LIFE, NO_DICE, takeUntilCut } from './store-benches.ts';

interface Watched {
  watch: StoreWatch;
  store: MemoryStore;
  reports: string[];
}

function watched(): Watched {
  const store = new MemoryStore(new Power(NO_DICE));
  const reports: string[] = [];
  const watch = new StoreWatch(store, (rule, text) => reports.push(`${rule}: ${text}`));
  return { watch, store, reports };
}

const progress = (packetId: number, isReleased: number): Uint8Array => Uint8Array.of(0, packetId, isReleased);

describe('a watched store', () => {
  it('is what it was asked to keep', () => {
    const { watch } = watched();
    watch.put(STORED_MESSAGE, 7, Uint8Array.of(1), 0, 1);
    watch.put(STORED_PROGRESS, 7, progress(3, 0), 0, 3);
    watch.put(STORED_RECEIVED, 9, new Uint8Array(0), 0, 0);
    expect([watch.size, watch.writes]).toEqual([3, 3]);
    expect(watch.has(STORED_RECEIVED, 9)).toBe(true);
    expect(watch.progressOf(3)).toEqual({ packetId: 3, isReleased: false });
    watch.put(STORED_PROGRESS, 7, progress(3, 1), 0, 3);
    expect(watch.progressOf(3)).toEqual({ packetId: 3, isReleased: true });
    expect(watch.remove(STORED_PROGRESS, 7)).toBe(true);
    expect(watch.progressOf(3)).toBeUndefined();
    watch.setFailing(true);
    expect(watch.put(STORED_MESSAGE, 8, Uint8Array.of(1), 0, 1)).toBe(false);
    expect(watch.has(STORED_MESSAGE, 8)).toBe(false);
    expect(watch.size).toBe(2);
  });

  it('that forgets is told of', () => {
    const { watch, store, reports } = watched();
    watch.put(STORED_MESSAGE, 7, Uint8Array.of(1), 0, 1);
    watch.put(STORED_RECEIVED, 9, new Uint8Array(0), 0, 0);
    store.remove(STORED_MESSAGE, 7);
    watch.checkKept();
    expect(reports).toEqual(['store-lost: message 7 was kept, and is not there']);
    watch.checkKept();
    expect(reports).toHaveLength(1);
  });

  it('that has what nobody put there is told of, and so is one that has changed it', () => {
    const { watch, store, reports } = watched();
    watch.put(STORED_PROGRESS, 7, progress(3, 1), 0, 3);
    store.put(STORED_RECEIVED, 9, new Uint8Array(0), 0, 0);
    store.put(STORED_PROGRESS, 7, progress(3, 0), 0, 3);
    watch.checkKept();
    expect(reports).toEqual([
      'store-made-up: progress of 7 is there, and not as it was kept',
      'store-made-up: identifier 9 is there, and was not kept',
    ]);
  });

  it('may bring back what it removed, but no identifier, and nothing from before the next put', () => {
    const { watch, store, reports } = watched();
    const message = Uint8Array.of(1);
    watch.put(STORED_MESSAGE, 7, message, 0, 1);
    watch.remove(STORED_MESSAGE, 7);
    store.put(STORED_MESSAGE, 7, message, 0, 1);
    watch.checkKept();
    expect(reports).toEqual([]);
    watch.remove(STORED_MESSAGE, 7);
    watch.put(STORED_RECEIVED, 9, message, 0, 0);
    store.put(STORED_MESSAGE, 7, message, 0, 1);
    watch.remove(STORED_RECEIVED, 9);
    store.put(STORED_RECEIVED, 9, message, 0, 0);
    watch.checkKept();
    expect(reports).toEqual([
      'store-made-up: message 7 is there, and was not kept',
      'store-made-up: identifier 9 is there, and was not kept',
    ]);
  });

  it('may keep identifiers of a session that is no more, until they are used again', () => {
    const { watch } = watched();
    for (const number of [8, 9]) watch.put(STORED_RECEIVED, number, new Uint8Array(0), 0, 0);
    expect(watch.restCount).toBe(2);
    watch.handleNewSession([7]);
    expect([7, 8, 9, 10].map((number) => watch.isStale(number))).toEqual([true, true, true, false]);
    expect([watch.restCount, watch.size]).toEqual([0, 2]);
    watch.put(STORED_RECEIVED, 9, new Uint8Array(0), 0, 0);
    watch.put(STORED_MESSAGE, 9, Uint8Array.of(1), 0, 1);
    expect(watch.isStale(9)).toBe(false);
    expect(watch.restCount).toBe(2);
  });

  it('may have what the power went in the middle of, or not', () => {
    for (const isThere of [0, 1]) {
      const reports: string[] = [];
      const store = new MemoryStore(new Power({ below: () => isThere }));
      const watch = new StoreWatch(store, (rule) => reports.push(rule));
      watch.put(STORED_PROGRESS, 7, progress(3, 0), 0, 3);
      for (const run of [
        () => watch.put(STORED_PROGRESS, 7, progress(3, 1), 0, 3),
        () => watch.remove(STORED_PROGRESS, 7),
      ]) {
        watch.cutAfter(0);
        expect(run).toThrow(PowerLost);
        watch.checkKept();
      }
      expect(reports).toEqual([]);
      expect(watch.size).toBe(1 - isThere);
    }
  });

  it.each<StoreKind>(['list', 'flash', 'log'])(
    'that ships has no fault, whenever the power goes or the medium fails: %s (seed from MOTEMQ_SEED)',
    (kind) => {
      for (let round = 0; round < shareOf(100); round++) {
        const dice = new Random(SEED + round);
        const reports: string[] = [];
        const watch = new StoreWatch(makeDeviceStore(kind, dice, 2048), (rule, text) =>
          reports.push(`${rule}: ${text}`),
        );
        for (let at = 0, cuts = 0; at < LIFE.length;) {
          watch.cutAfter(cuts++ < 5 ? dice.below(60) : Infinity);
          try {
            watch.each(() => undefined);
            at = takeUntilCut(watch, LIFE, at);
            if (dice.below(2) === 0) {
              watch.setFailing(true);
              watch.put(STORED_MESSAGE, 99, Uint8Array.of(1), 0, 1);
              watch.remove(STORED_RECEIVED, 9);
            }
          } catch (error) {
            if (!(error instanceof PowerLost)) throw error;
          }
          watch.revive();
        }
        watch.checkKept();
        expect(reports, `round ${round}`).toEqual([]);
      }
    },
  );
});
