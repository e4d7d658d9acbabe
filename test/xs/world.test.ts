/**
 * Whole worlds on the engine of a board: the same seed comes to the same there as in Node, to the last byte on the network.
 * There the devices run what ships for boards, here the sources. Fresh seeds are printed; MOTEMQ_SEED=n has the same ones
 * run again.
 */
import { randomInt } from 'node:crypto';
import { Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addResult, noTotals } from '../../sim/world/campaign.ts';
import { FAULT_NAMES } from '../../sim/world/faults.ts';
import { SEED_MAX } from '../../sim/world/schedule.ts';
import { XsWorlds, runOnBoth } from '../../sim/world/two-engines.ts';
import { runWorld, type WorldResult } from '../../sim/world/world.ts';
import { runSim } from '../../targets/cli/sim.ts';
import { writeModule } from './bundle.ts';
import { buildXsWorlds, type XsWorldsBuild } from './world-guest.ts';

/** Together they have every kind of fault, a dozen times each. */
const FIXED = [45, 47, 64, 75, 78, 83, 92, 107, 118, 126, 137, 147];
const FRESH_COUNT = 3;
/** Ten minutes in which things go wrong, and then those to recover. */
const DURATION_MS = 600_000;
/** An interpreter on a busy machine. */
const WORLDS_MS_MAX = 240_000;

let built: XsWorldsBuild;
let worlds: XsWorlds;
beforeAll(async () => {
  built = await buildXsWorlds();
  worlds = await XsWorlds.start(built);
}, WORLDS_MS_MAX);
afterAll(() => worlds.stop());

async function expectSame(seed: number): Promise<WorldResult> {
  const options = { seed, durationMs: DURATION_MS };
  const result = await runOnBoth(worlds, options);
  expect(result.violations, `seed ${seed}, on XS`).toEqual([]);
  // The hash is of the trace and the bytes; this is also what was counted.
  expect(result).toEqual(await runWorld(options));
  return result;
}

describe('a world on XS', () => {
  it('has devices that run what ships for boards', () => {
    expect(built.text).toMatch(/import \{ CallbackClient \} from "motemq\/core"/);
    // What is bundled is for the broker and the checkers.
    const bundled = [...built.text.matchAll(/^\/\/ (src\/.*)$/gm)].map(([, file]) => file);
    expect(bundled).toContain('src/packets/codec.ts');
    for (const file of ['callbacks/callback-client', 'line', 'session/session']) {
      expect(bundled).not.toContain(`src/${file}.ts`);
    }
  });

  it(
    `is the same as in Node, in ${FIXED.length} seeds with all kinds of faults`,
    { timeout: WORLDS_MS_MAX },
    async () => {
      const totals = noTotals();
      for (const seed of FIXED) addResult(totals, await expectSame(seed));
      for (const kind of FAULT_NAMES) expect(totals.faults[kind], kind).toBeGreaterThan(5);
      // Else they would prove nothing.
      expect(totals.arrivals).toBeGreaterThan(1000);
      expect(totals.powerCuts).toBeGreaterThan(20);
    },
  );

  it(`is the same in ${FRESH_COUNT} fresh seeds`, { timeout: WORLDS_MS_MAX }, async () => {
    const given = process.env['MOTEMQ_SEED'];
    const from = given === undefined ? randomInt(0, SEED_MAX - FRESH_COUNT) : Number(given) >>> 0;
    process.stderr.write(`[xs] worlds of fresh seeds: ${from}..${from + FRESH_COUNT - 1}\n`);
    for (let n = 0; n < FRESH_COUNT; n++) await expectSame(from + n);
  });

  it('is told from one on an engine that rounds otherwise, by the first line that differs', async () => {
    const bent = `const { ceil } = Math;\nMath.ceil = (x) => ceil(x) + (x > 20000 ? 1 : 0);\n${built.text}`;
    const others = await XsWorlds.start({ ...built, guest: writeModule('bent-world', bent) });
    try {
      const { violations, tail } = await runOnBoth(others, { seed: 1, durationMs: DURATION_MS });
      expect(violations[0].rule).toBe('engine');
      const line = /^line \d+ of the trace is "(\d+) .*" on XS, and "(\d+) .*" in Node$/.exec(
        violations[0].text,
      );
      expect(Number(line?.[2])).toBe(violations[0].atMs);
      expect(Number(line?.[1])).toBeGreaterThanOrEqual(violations[0].atMs);
      expect(tail.at(-1)).toContain(`${violations[0].atMs} `);
    } finally {
      await others.stop();
    }
  });
});

describe('motemq sim --engine xs', () => {
  it('prints the trace that Node has', async () => {
    let text = '';
    const sink = new Writable({
      write(chunk: Buffer, _encoding, done): void {
        text += chunk.toString();
        done();
      },
    });
    const streams = {
      stdout: sink as never,
      stderr: new Writable({ write: (_chunk, _encoding, done) => done() }) as never,
    };
    const isWell = await runSim(
      { engine: 'xs', seed: 5, hours: 0.05, trace: true },
      { ...streams, xs: built },
    );
    expect(isWell).toBe(true);
    const lines: string[] = [];
    await runWorld({ seed: 5, durationMs: 180_000, onTrace: (line) => lines.push(line) });
    expect(text.split('\n').slice(0, lines.length)).toEqual(lines);
  });
});
