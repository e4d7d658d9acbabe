/**
 * The contract of a session store, on every store of a world, and power that goes at every point of a scripted life: what
 * is kept is what some prefix of the life had left, with everything in it that was promised.
 */
import { describe, expect, it } from 'vitest';
import { STORED_MESSAGE, STORED_PROGRESS, STORED_RECEIVED } from '../../src/session/store.ts';
import type { Dice } from '../../sim/world/power.ts';
import { Power } from '../../sim/world/power.ts';
import { DiskMedium, FlashMedium, WorldStore } from '../../sim/world/stores.ts';
import { PowerLost } from '../../sim/world/sim-board.ts';
import { Random, SEED, shareOf } from '../seed.ts';
import type { Bench, BenchStore } from './store-benches.ts';
import {
  ALL_DICE,
  BENCHES,
  LIFE,
  NO_DICE,
  contentOf,
  statesOf,
  take,
  takeUntilCut,
  wornContent,
  wornFlashBench,
} from './store-benches.ts';

const random = (seed: number): Dice => new Random(SEED + seed);

type Row = [kind: number, number: number, bytes: number[]];

function rowsOf(store: BenchStore): Row[] {
  const rows: Row[] = [];
  store.each((kind, number, bytes) => rows.push([kind, number, [...bytes]]));
  return rows;
}

describe.each(BENCHES.map((bench) => [bench.name, bench] as const))('%s', (_, bench) => {
  it('keeps copies, by kind and number, through restarts', () => {
    const store = bench.make(NO_DICE);
    const bytes = Uint8Array.of(8, 8, 1, 2, 3, 8);
    expect(store.put(STORED_RECEIVED, 65535, bytes, 0, 0)).toBe(true);
    expect(store.put(STORED_PROGRESS, 4294967295, Uint8Array.of(8, 255, 254, 1), 1, 3)).toBe(true);
    expect(store.put(STORED_MESSAGE, 4294967295, bytes, 2, 3)).toBe(true);
    expect(store.put(STORED_MESSAGE, 7, bytes, 5, 1)).toBe(true);
    expect(store.put(STORED_RECEIVED, 1, bytes, 0, 0)).toBe(true);
    bytes.fill(9);
    const rows: Row[] = [
      [STORED_MESSAGE, 7, [8]],
      [STORED_MESSAGE, 4294967295, [1, 2, 3]],
      [STORED_PROGRESS, 4294967295, [255, 254, 1]],
      [STORED_RECEIVED, 1, []],
      [STORED_RECEIVED, 65535, []],
    ];
    expect(rowsOf(store)).toEqual(rows);
    for (let life = 0; life < 3; life++) {
      store.revive();
      expect(rowsOf(store)).toEqual(rows);
    }
  });

  it('replaces how far a message came, and forgets what is removed', () => {
    const store = bench.make(NO_DICE);
    store.put(STORED_PROGRESS, 5, Uint8Array.of(0, 6, 0), 0, 3);
    store.put(STORED_PROGRESS, 5, Uint8Array.of(0, 6, 1), 0, 3);
    expect(rowsOf(store)).toEqual([[STORED_PROGRESS, 5, [0, 6, 1]]]);
    store.remove(STORED_MESSAGE, 5);
    store.remove(STORED_RECEIVED, 5);
    expect(rowsOf(store)).toHaveLength(1);
    store.remove(STORED_PROGRESS, 5);
    expect(rowsOf(store)).toEqual([]);
    store.remove(STORED_PROGRESS, 5);
    // For good once something is promised.
    store.put(STORED_RECEIVED, 1, new Uint8Array(0), 0, 0);
    store.revive();
    expect(rowsOf(store)).toEqual([[STORED_RECEIVED, 1, []]]);
  });

  it('takes messages of every size, whatever is in them', () => {
    for (const byteLength of [0, 1, 31, 32, 33, 64, 500, 3999, 4000, 4001, 9000]) {
      for (const byte of [0, 0xff]) {
        const store = bench.make(NO_DICE);
        const bytes = new Uint8Array(byteLength).fill(byte);
        expect(store.put(STORED_MESSAGE, 1, bytes, 0, byteLength)).toBe(true);
        store.revive();
        expect(contentOf(store)).toBe(`${STORED_MESSAGE} 1 ${bytes.join(',')}`);
      }
    }
  });

  it('refuses while it fails, and nothing has changed; removes in order when it works again', () => {
    const store = bench.make(NO_DICE);
    take(store, LIFE[0]);
    take(store, LIFE[1]);
    const before = contentOf(store);
    store.setFailing(true);
    expect(store.put(STORED_MESSAGE, 8, Uint8Array.of(8), 0, 1)).toBe(false);
    expect(store.put(STORED_RECEIVED, 8, Uint8Array.of(8), 0, 0)).toBe(false);
    expect(store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 1, 1), 0, 3)).toBe(false);
    store.revive();
    expect(contentOf(store)).toBe(before);
    expect(store.put(STORED_PROGRESS, 1, Uint8Array.of(0, 1, 1), 0, 3)).toBe(true);
    expect(rowsOf(store)[1]).toEqual([STORED_PROGRESS, 1, [0, 1, 1]]);
  });

  it('never has a later removal without an earlier one that failed', () => {
    const store = bench.make(NO_DICE);
    take(store, LIFE[0]);
    take(store, { kind: STORED_PROGRESS, number: 1, bytes: Uint8Array.of(0, 1, 1) });
    store.setFailing(true);
    store.remove(STORED_MESSAGE, 1);
    store.setFailing(false);
    // Were this one gone and the message not, the message would be sent as one that never was.
    store.remove(STORED_PROGRESS, 1);
    take(store, { kind: STORED_RECEIVED, number: 3, bytes: new Uint8Array(0) });
    store.revive();
    expect(rowsOf(store)).toEqual([[STORED_RECEIVED, 3, []]]);
  });

  it('says so when it cannot remove, and has removed for good when it says that it has', () => {
    const store = bench.make(NO_DICE);
    for (const number of [3, 4]) take(store, { kind: STORED_RECEIVED, number, bytes: new Uint8Array(0) });
    store.setFailing(true);
    expect(store.remove(STORED_RECEIVED, 3)).toBe(false);
    expect(store.remove(STORED_RECEIVED, 3)).toBe(false);
    expect(store.remove(STORED_RECEIVED, 4)).toBe(false);
    store.setFailing(false);
    expect(store.remove(STORED_RECEIVED, 3)).toBe(true);
    expect(store.remove(STORED_RECEIVED, 4)).toBe(true);
    expect(store.remove(STORED_RECEIVED, 4)).toBe(true);
    store.revive();
    expect(rowsOf(store)).toEqual([]);
    // What it did not say it had removed, is there or not; nothing else is.
    for (const number of [3, 4]) take(store, { kind: STORED_RECEIVED, number, bytes: new Uint8Array(0) });
    store.setFailing(true);
    expect(store.remove(STORED_RECEIVED, 3)).toBe(false);
    store.revive();
    expect(rowsOf(store).at(-1)).toEqual([STORED_RECEIVED, 4, []]);
    expect(store.remove(STORED_RECEIVED, 3)).toBe(true);
    expect(rowsOf(store)).toEqual([[STORED_RECEIVED, 4, []]]);
  });

  it('takes back under the same name what it could not remove', () => {
    const store = bench.make(NO_DICE);
    const again = { kind: STORED_RECEIVED, number: 3, bytes: new Uint8Array(0) };
    take(store, again);
    store.setFailing(true);
    store.remove(STORED_RECEIVED, 3);
    store.setFailing(false);
    take(store, again);
    take(store, { ...again, number: 4 });
    store.revive();
    expect(rowsOf(store).map(([, number]) => number)).toEqual([3, 4]);
  });

  it('throws without power', () => {
    const store = bench.make(NO_DICE);
    take(store, LIFE[0]);
    store.power.cut();
    expect(() => store.put(STORED_MESSAGE, 2, new Uint8Array(1), 0, 1)).toThrow(PowerLost);
    expect(() => store.remove(STORED_MESSAGE, 1)).toThrow(PowerLost);
    expect(() => contentOf(store)).toThrow(PowerLost);
    store.revive();
    expect(rowsOf(store)).toHaveLength(1);
  });
});

/** Where each operation of an uncut life begins, in bytes of the power's, and how many it has. */
function operationsOf(bench: Bench): { at: number; byteLength: number }[] {
  const store = bench.make(NO_DICE);
  const { power } = store;
  const operations: { at: number; byteLength: number }[] = [];
  contentOf(store);
  const start = power.bytes;
  const begin = power.begin.bind(power);
  power.begin = (byteLength) => {
    operations.push({ at: power.bytes - start, byteLength });
    return begin(byteLength);
  };
  for (const step of LIFE) take(store, step);
  return operations;
}

/** Every byte of what is programmed or written; of an erased sector, where both passes begin and end, and some between. */
function cutPoints(bench: Bench): number[] {
  const points = new Set<number>();
  for (const { at, byteLength } of operationsOf(bench)) {
    const isErasing = byteLength === 8192;
    const step = isErasing ? 13 : 1;
    for (let byte = 0; byte < byteLength; byte += step) points.add(at + byte);
    if (isErasing) for (const byte of [1, 4, 31, 32, 64, 4095, 4096, 4097, 8191]) points.add(at + byte);
  }
  return [...points];
}

/** Index of the last step by which everything had to be lasting, before `count`. */
function lastLasting(bench: Bench, count: number): number {
  for (let at = count; at > 0; at--) {
    const { kind, bytes } = LIFE[at - 1];
    if (bench.isRemovingAtOnce || bytes !== undefined || kind === STORED_RECEIVED) return at;
  }
  return 0;
}

/** Lives until the power goes, again when it is back, and to the end; looks at what is kept each time. */
function checkCut(
  bench: Bench,
  dice: Dice,
  limit: { operations?: number; bytes?: number },
  states: string[],
  again: number,
): boolean {
  const store = bench.make(dice);
  expect(contentOf(store)).toBe(states[0]);
  store.power.cutAfter(limit);
  const done = takeUntilCut(store, LIFE);
  const isCut = store.power.isLost;
  store.revive();
  if (again >= 0) {
    // It goes again while it is being repaired.
    store.power.cutAfter({ bytes: again });
    try {
      contentOf(store);
    } catch (error) {
      if (!(error instanceof PowerLost)) throw error;
    }
    store.revive();
  }
  const content = contentOf(store);
  const from = lastLasting(bench, done);
  const possible = states.slice(from, isCut ? done + 2 : done + 1);
  const index = possible.lastIndexOf(content);
  if (index < 0)
    expect(content, `${JSON.stringify(limit)}, after step ${done}`).toBe(possible.join('\nor\n'));
  // Goes on from there, and nothing that was half written comes up later.
  takeUntilCut(store, LIFE, from + index);
  expect(contentOf(store)).toBe(states[states.length - 1]);
  take(store, { kind: STORED_RECEIVED, number: 77, bytes: new Uint8Array(0) });
  const last = contentOf(store);
  store.revive();
  expect(contentOf(store)).toBe(last);
  return isCut;
}

/** In turn: a page is erased as a message is accepted, as a small record is put, for a message of no room, and of some. */
const WORN = [5, 12, 20, 40].map((spare) => wornFlashBench(spare));

describe.each([...BENCHES, ...WORN].map((bench) => [bench.name, bench] as const))(
  'power that goes: %s',
  (_, bench) => {
    const states = statesOf(bench, LIFE);

    it.each([
      ['the least', () => NO_DICE],
      ['the most', () => ALL_DICE],
      ['any part', random],
    ])('after every byte, with %s of what is torn: a prefix of the life, and goes on', (_, dice) => {
      const points = cutPoints(bench);
      const step = Math.floor(points.length / shareOf(points.length));
      for (const bytes of points.filter((_, i) => i % step === 0))
        expect(checkCut(bench, dice(bytes), { bytes }, states, -1)).toBe(true);
    });

    it('in every operation, any number of times (seed from MOTEMQ_SEED)', () => {
      const { length } = operationsOf(bench);
      for (let round = 0; round < shareOf(6); round++) {
        for (let operations = 0; operations < length; operations++) {
          const dice = random(round * 1000 + operations);
          expect(checkCut(bench, dice, { operations }, states, dice.below(100))).toBe(true);
        }
      }
    });
  },
);

it('what a log was cut off behind does not come back', () => {
  for (let round = 0; round < 3000; round++) {
    const store = new WorldStore(new DiskMedium(new Power(new Random(round))));
    const bytes = new Uint8Array(20);
    store.put(STORED_MESSAGE, 1, bytes, 0, 20);
    // The power goes in the sync of the second put: of both records any part may be there.
    store.remove(STORED_MESSAGE, 1);
    store.cutAfter(1);
    expect(() => store.put(STORED_MESSAGE, 2, bytes, 0, 20)).toThrow(PowerLost);
    store.revive();
    const before = rowsOf(store).map(([, number]) => number);
    // As long as what was lost there; and nothing is synced.
    store.remove(STORED_MESSAGE, 1);
    store.revive();
    for (const [, number] of rowsOf(store)) expect(before, `round ${round}`).toContain(number);
  }
});

it('a page is erased in the middle of these lives, and a message is in two pages in one of them', () => {
  for (const bench of WORN)
    expect(operationsOf(bench).filter(({ byteLength }) => byteLength === 8192)).toHaveLength(1);
  const medium = new FlashMedium(new Power(NO_DICE), { content: wornContent(40, 'motemq') });
  const { flash } = medium;
  const count = takeUntilCut(new WorldStore(medium), LIFE.slice(0, 17));
  expect(LIFE[count - 1]).toMatchObject({ kind: STORED_MESSAGE, number: 4 });
  // Namespace, type, chunk: the second piece of a value.
  let pieces = 0;
  for (let at = 0; at < flash.content.length; at += 32) {
    const entry = flash.content.subarray(at, at + 32);
    if (entry[0] === 1 && entry[1] === 0x42 && entry[3] === 1) pieces++;
  }
  expect(pieces).toBe(1);
});
