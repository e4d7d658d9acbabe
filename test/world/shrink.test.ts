/**
 * Schedules made smaller: with defects that are made up from what a schedule holds, and with a real one, a device that
 * forgets what is in its store.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Fault } from '../../sim/world/faults.ts';
import { shrinkFaults, type ShrinkProgress } from '../../sim/world/shrink.ts';
import { MemoryStore } from '../../sim/world/memory-session-store.ts';
import { runWorld, type WorldOptions, type WorldResult } from '../../sim/world/world.ts';
import { brokenResult, resultOf } from './worlds.ts';

const STALLS: Fault[] = Array.from({ length: 100 }, (_, index) => ({
  atMs: 20_000 + 1000 * index,
  kind: 'stall',
  device: index % 5,
  ms: 60_000,
}));

/** Runs nothing: the rule is broken when the schedule is `bad`. */
const madeUp =
  (bad: (faults: readonly Fault[]) => boolean, rule = 'made-up-rule') =>
  ({ seed, faults = STALLS }: WorldOptions): Promise<WorldResult> =>
    Promise.resolve(bad(faults) ? brokenResult(seed, faults, rule) : resultOf(seed, { faults }));

const has = (faults: readonly Fault[], index: number, ms = 0): boolean =>
  faults.some((fault) => fault.atMs === STALLS[index].atMs && fault.ms >= ms);

async function shrink(
  run: (options: WorldOptions) => Promise<WorldResult>,
  runsMax = 1000,
): Promise<{ result: WorldResult; steps: ShrinkProgress[] }> {
  const steps: ShrinkProgress[] = [];
  const first = await run({ seed: 1 });
  const result = await shrinkFaults({ seed: 1 }, first, {
    runsMax,
    run,
    onProgress: (progress) => steps.push(progress),
  });
  return { result, steps };
}

describe('a schedule', () => {
  it('comes down to the faults that it takes, and those to as short as will do', async () => {
    const run = madeUp((faults) => has(faults, 17) && has(faults, 63, 2000));
    const { result, steps } = await shrink(run);
    expect(result.faults.map(({ atMs }) => atMs)).toEqual([STALLS[17].atMs, STALLS[63].atMs]);
    expect(result.faults[0].ms).toBe(0);
    expect(result.faults[1].ms).toBeGreaterThanOrEqual(2000);
    expect(result.faults[1].ms).toBeLessThan(2300);
    expect(result).toEqual(await run({ seed: 1, faults: result.faults }));
    expect(steps.at(-1)).toEqual({ runs: steps.length, faults: 2 });
    expect(steps.length).toBeLessThan(60);
    expect((await shrink(run)).result).toEqual(result);
  });

  it('comes down to nothing when nothing is needed, in one run', async () => {
    const { result, steps } = await shrink(madeUp(() => true));
    expect(result.faults).toEqual([]);
    expect(steps).toEqual([{ runs: 1, faults: 0 }]);
  });

  it('comes down to one of any that would do', async () => {
    const { result } = await shrink(madeUp((faults) => faults.length > 0));
    expect(result.faults).toHaveLength(1);
  });

  it('loses what could be spared only when another was gone', async () => {
    // The 30th hides what the 60th brings about, unless the 10th is there.
    const run = madeUp((faults) => has(faults, 60) && (has(faults, 10) || !has(faults, 30)));
    const { result } = await shrink(run);
    expect(result.faults.map(({ atMs }) => atMs)).toEqual([STALLS[60].atMs]);
  });

  it('keeps what is needed, all of it, as long as it lasts', async () => {
    const run = ({ seed, faults = STALLS }: WorldOptions): Promise<WorldResult> => {
      const isBad = STALLS.slice(0, 9).every((_, index) => has(faults, index, 60_000));
      return Promise.resolve(
        isBad ? { ...brokenResult(seed, STALLS.slice(0, 9)), faults } : resultOf(seed, { faults }),
      );
    };
    const { result } = await shrink(run);
    expect(result.faults).toEqual(STALLS.slice(0, 9));
  });

  it('is cut off behind the violation without a run', async () => {
    const first = { ...brokenResult(1, STALLS.slice(0, 3)), faults: STALLS };
    const result = await shrinkFaults({ seed: 1 }, first, { runsMax: 0 });
    expect(result).toEqual({ ...first, faults: STALLS.slice(0, 4) });
  });

  it('counts only when it breaks the same rule', async () => {
    const run = (options: WorldOptions): Promise<WorldResult> => {
      const { faults = STALLS } = options;
      return madeUp(() => true, has(faults, 40) ? 'made-up-rule' : 'another-rule')(options);
    };
    const { result } = await shrink(run);
    expect(result.faults.map(({ atMs }) => atMs)).toEqual([STALLS[40].atMs]);
    expect(result.violations[0].rule).toBe('made-up-rule');
  });

  it('is the best so far when the runs are used up, or it is told to stop', async () => {
    const run = madeUp((faults) => has(faults, 17) && has(faults, 63));
    const { result, steps } = await shrink(run, 5);
    expect(steps).toHaveLength(5);
    expect(result.faults.length).toBeGreaterThan(2);
    expect(result.violations).toHaveLength(1);
    const controller = new AbortController();
    const stopped = await shrinkFaults({ seed: 1 }, await run({ seed: 1 }), {
      runsMax: 1000,
      run,
      signal: controller.signal,
      onProgress: ({ runs }) => {
        if (runs === 5) controller.abort();
      },
    });
    expect(stopped).toEqual(result);
  });
});

describe('a device that forgets its store', () => {
  afterEach(() => vi.restoreAllMocks());

  it('is found, and shown by fewer faults', async () => {
    vi.spyOn(MemoryStore.prototype, 'each').mockImplementation(() => {});
    const faultKinds = ['power-cut-in-write', 'reset', 'stall', 'broker-cuts'] as const;
    const options = { seed: 1, durationMs: 1_800_000, faultKinds };
    let first = await runWorld(options);
    while ((first.violations.length === 0 || first.faults.length < 10) && options.seed < 50) {
      options.seed++;
      first = await runWorld(options);
    }
    expect(first.violations, `seeds 1..${options.seed}`).not.toEqual([]);
    const runsMax = 40;
    const result = await shrinkFaults(options, first, { runsMax });
    expect(result.violations[0].rule).toBe(first.violations[0].rule);
    expect(result.faults.length).toBeLessThan(first.faults.length);
    expect(result.faults.map(({ kind }) => kind)).toContain('power-cut-in-write');
    // It is that world: run again it is the same, line by line.
    const again = await runWorld({ ...options, faults: result.faults });
    expect(again).toEqual(result);
    expect(await shrinkFaults(options, first, { runsMax })).toEqual(result);
  });
});
