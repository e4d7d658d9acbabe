/**
 * Worlds of an hour with five devices each, on all cores: a fixed range of seeds, and some that nobody has seen yet. These
 * are printed; MOTEMQ_SEED=n has the same ones run again. Takes a minute or two.
 */
import { randomInt } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { runCampaign, type Totals } from '../../sim/world/campaign.ts';
import { FAULT_NAMES, formatFault } from '../../sim/world/faults.ts';
import { SEED_MAX } from '../../sim/world/schedule.ts';
import type { WorldResult } from '../../sim/world/world.ts';
import { buildWorker } from './worlds.ts';

const FIXED = { from: 1, to: 1900 };
const FRESH_COUNT = 100;

let workerUrl: URL;
beforeAll(async () => {
  workerUrl = await buildWorker();
});

/** Everything that helps to find out why. */
function tell({ seed, violations, tail, faults }: WorldResult): string {
  const [{ rule, text, atMs }] = violations;
  const past = faults.filter((fault) => fault.atMs <= atMs).map(formatFault);
  return [
    `seed ${seed}: ${rule} at ${atMs} ms: ${text}`,
    `again, and smaller: motemq sim --seed ${seed}`,
    `the last of ${past.length} faults:`,
    ...past.slice(-10),
    'the trace:',
    ...tail,
  ].join('\n');
}

async function run(from: number, to: number): Promise<Totals> {
  const { totals, failures } = await runCampaign({ from, to, workerUrl });
  const [first] = failures;
  const others = failures.slice(1, 20).map(({ seed, violations }) => `seed ${seed}: ${violations[0].rule}`);
  expect(totals.failed, first && [tell(first), '', ...others].join('\n')).toBe(0);
  expect(totals.seeds).toBe(to - from + 1);
  return totals;
}

describe('no rule is broken', () => {
  it(`in seeds ${FIXED.from} to ${FIXED.to}, which have all kinds of faults`, async () => {
    const { faults, messages, arrivals, duplicates, powerCuts } = await run(FIXED.from, FIXED.to);
    for (const kind of FAULT_NAMES) expect(faults[kind], kind).toBeGreaterThan(FIXED.to);
    // Else they would prove nothing.
    expect(arrivals).toBeGreaterThan(messages * 0.8);
    expect(messages).toBeGreaterThan(1_000_000);
    expect(powerCuts).toBeGreaterThan(5000);
    expect(duplicates).toBeGreaterThan(500);
  });

  it(`in ${FRESH_COUNT} fresh seeds`, async () => {
    const given = process.env['MOTEMQ_SEED'];
    const from = given === undefined ? randomInt(0, SEED_MAX - FRESH_COUNT) : Number(given) >>> 0;
    const to = from + FRESH_COUNT - 1;
    process.stderr.write(`[world] fresh seeds: ${from}..${to}\n`);
    await run(from, to);
  });
});
