/**
 * Campaigns: sums that do not depend on how many threads there are, failures in their order, and an end when it is asked for.
 */
import { describe, expect, it } from 'vitest';
import { addResult, noTotals, runCampaign, type Totals } from '../../sim/world/campaign.ts';
import { FAULT_NAMES } from '../../sim/world/faults.ts';
import { runWorld, type WorldOptions, type WorldResult } from '../../sim/world/world.ts';
import { brokenResult, buildWorker, resultOf } from './worlds.ts';

const WORLD = { devices: 2, durationMs: 300_000 };

describe('a campaign', () => {
  it('sums up its seeds', async () => {
    const totals = noTotals();
    for (let seed = 11; seed <= 20; seed++) addResult(totals, await runWorld({ seed, ...WORLD }));
    expect(totals.seeds).toBe(10);
    expect(totals.messages).toBeGreaterThan(0);
    const result = await runCampaign({ from: 11, to: 20, ...WORLD, workerUrl: null });
    expect(result).toEqual({ totals, failures: [], isComplete: true });
    expect(Object.keys(result.totals.faults)).toEqual(FAULT_NAMES);
  });

  it('comes to the same on any number of threads', async () => {
    const workerUrl = await buildWorker();
    const campaign = {
      from: 1,
      to: 24,
      ...WORLD,
      faultKinds: ['reset', 'power-cut', 'broker-crash'] as const,
    };
    const here = await runCampaign({ ...campaign, workers: 0 });
    for (const workers of [1, 2, 3]) {
      expect(await runCampaign({ ...campaign, workers, workerUrl })).toEqual(here);
    }
    const { faults } = here.totals;
    expect(faults.reset + faults['power-cut'] + faults['broker-crash']).toBeGreaterThan(10);
    expect(faults.stall).toBe(0);
  });

  it('tells how far it is, and of failures as they come', async () => {
    const told: string[] = [];
    let last: Totals | undefined;
    const { failures } = await runCampaign(
      {
        from: 1,
        to: 5,
        run: ({ seed }) => Promise.resolve(seed % 2 === 0 ? brokenResult(seed, []) : resultOf(seed)),
      },
      {
        handleProgress: (totals) => {
          last = totals;
          told.push(`${totals.seeds} of them, ${totals.failed} failed`);
        },
        handleFailure: ({ seed }) => told.push(`seed ${seed}`),
      },
    );
    expect(told).toEqual([
      '1 of them, 0 failed',
      'seed 2',
      '2 of them, 1 failed',
      '3 of them, 1 failed',
      'seed 4',
      '4 of them, 2 failed',
      '5 of them, 2 failed',
    ]);
    expect(failures.map(({ seed }) => seed)).toEqual([2, 4]);
    expect(last?.violations).toEqual({ 'made-up-rule': 2 });
  });

  it('counts only faults that befell before the end of a world', async () => {
    const faults = [20_000, 30_000, 40_000].map(
      (atMs) => ({ atMs, kind: 'reset', device: 0, ms: 0 }) as const,
    );
    const run = ({ seed }: WorldOptions): Promise<WorldResult> =>
      Promise.resolve({ ...brokenResult(seed, faults.slice(0, 2)), faults });
    const { totals } = await runCampaign({ from: 1, to: 3, run });
    expect(totals.faults).toEqual({ ...noTotals().faults, reset: 6 });
  });

  it('keeps a hundred failures, those of the lowest seeds', async () => {
    const run = ({ seed }: WorldOptions): Promise<WorldResult> => Promise.resolve(brokenResult(seed, []));
    const { totals, failures } = await runCampaign({ from: 1, to: 150, run });
    expect(totals.failed).toBe(150);
    expect(failures.map(({ seed }) => seed)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
  });

  it('begins no more seeds when it is aborted', async () => {
    const controller = new AbortController();
    const { totals, isComplete } = await runCampaign(
      {
        from: 1,
        to: 100,
        signal: controller.signal,
        run: ({ seed }) => Promise.resolve(resultOf(seed)),
      },
      {
        handleProgress: ({ seeds }) => {
          if (seeds === 7) controller.abort();
        },
      },
    );
    expect(totals.seeds).toBe(7);
    expect(isComplete).toBe(false);
  });

  it('ends with the seed and the error when a thread fails', async () => {
    const text = `import { parentPort } from 'node:worker_threads';
      parentPort.on('message', () => { throw new Error('no such thing') });`;
    const workerUrl = new URL(`data:text/javascript,${encodeURIComponent(text)}`);
    await expect(runCampaign({ from: 8, to: 90, workers: 1, workerUrl })).rejects.toThrow(
      'seed 8: no such thing',
    );
  });
});
