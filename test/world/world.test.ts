/**
 * Worlds as such: the same from the same seed, quiet where nothing goes wrong, and with an end whatever happens in them.
 * What they check is looked at by test/world/seeds.test.ts and by the defects put into them on purpose.
 */
import { describe, expect, it } from 'vitest';
import { BROKER_KINDS } from '../../sim/world/broker-process.ts';
import type { EventQueue } from '../../sim/world/events.ts';
import { formatFault } from '../../sim/world/faults.ts';
import { World, runWorld } from '../../sim/world/world.ts';

const SEEDS = [1, 2, 3, 4, 5, 4_294_967_295];
const QUARTER_MS = 900_000;

describe('a world', () => {
  it('is the same from the same seed, and another from another', async () => {
    const hashes = new Set<string>();
    for (const seed of SEEDS) {
      const result = await runWorld({ seed, durationMs: QUARTER_MS });
      expect(await runWorld({ seed, durationMs: QUARTER_MS })).toEqual(result);
      hashes.add(result.hash);
    }
    expect(hashes.size).toBe(SEEDS.length);
  });

  it('is the same from the schedule that its seed draws', async () => {
    for (const seed of SEEDS) {
      const drawn = await runWorld({ seed, durationMs: QUARTER_MS });
      const given = await runWorld({ seed, durationMs: QUARTER_MS, faults: drawn.faults, faultKinds: [] });
      expect(given).toEqual(drawn);
    }
  });

  it('is the same whether anybody reads its trace', async () => {
    const lines: string[] = [];
    const result = await runWorld({ seed: 3, durationMs: QUARTER_MS, onTrace: (line) => lines.push(line) });
    expect(result).toEqual(await runWorld({ seed: 3, durationMs: QUARTER_MS }));
    expect(result.tail).toEqual(lines.slice(-result.tail.length));
    const times = lines.map((line) => Number(line.split(' ')[0]));
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const befallen = lines.filter((line) => line.includes(' FAULT ')).map((line) => line.split(' FAULT ')[1]);
    expect(befallen).toEqual(result.faults.map(formatFault));
  });

  it('has the broker that its seed draws, or the one that is asked for', async () => {
    const drawn = await Promise.all(
      Array.from({ length: 30 }, (_, seed) => runWorld({ seed, durationMs: 1000, devices: 1 })),
    );
    const naive = drawn.filter(({ broker }) => broker === 'naive');
    expect(naive.length).toBeGreaterThan(1);
    expect(naive.length).toBeLessThan(15);
    for (const [seed, { broker, hash }] of drawn.slice(0, 10).entries()) {
      const [ours, other] = await Promise.all(
        BROKER_KINDS.map((kind) => runWorld({ seed, durationMs: 1000, devices: 1, broker: kind })),
      );
      expect([ours.broker, other.broker]).toEqual(['ours', 'naive']);
      expect(ours.hash === hash).toBe(broker === 'ours');
      expect(other.hash === hash).toBe(broker === 'naive');
    }
  });

  it('has devices with every kind of store, on either broker, and they lose their power', async () => {
    for (const broker of BROKER_KINDS) {
      const stores = new Set<string>();
      let powerCuts = 0;
      for (let seed = 1; seed <= 6; seed++) {
        const result = await runWorld({
          seed,
          broker,
          durationMs: QUARTER_MS,
          onTrace: (line) => {
            const [, store] = / on store=(\w+)$/.exec(line) ?? [];
            if (store !== undefined) stores.add(store);
          },
        });
        expect(result.violations).toEqual([]);
        powerCuts += result.powerCuts;
      }
      expect([...stores].sort()).toEqual(['flash', 'list', 'log']);
      expect(powerCuts).toBeGreaterThan(5);
    }
  });

  it('in which nothing goes wrong sends nothing twice and loses no power', async () => {
    for (const seed of SEEDS) {
      const result = await runWorld({ seed, durationMs: QUARTER_MS, faultKinds: [] });
      expect(result).toMatchObject({ violations: [], faults: [], duplicates: 0, powerCuts: 0 });
      expect(result.messages).toBeGreaterThan(50);
      expect(result.arrivals).toBeGreaterThan(50);
      expect(result.virtualMs).toBeGreaterThan(QUARTER_MS);
    }
  });

  it('has as many devices as are asked for', async () => {
    const few = await runWorld({ seed: 9, durationMs: QUARTER_MS, devices: 1 });
    const many = await runWorld({ seed: 9, durationMs: QUARTER_MS, devices: 20 });
    expect([...few.violations, ...many.violations]).toEqual([]);
    expect(few.faults.every(({ device }) => device < 1)).toBe(true);
    expect(many.faults.some(({ device }) => device > 10)).toBe(true);
    expect(many.messages).toBeGreaterThan(5 * few.messages);
  });
});

describe('what is thrown in a world', () => {
  it('is a violation, with the trace up to it', async () => {
    const result = await runWorld({
      seed: 3,
      durationMs: QUARTER_MS,
      onTrace: (line) => {
        if (line.includes(' FAULT ')) throw new TypeError('no such thing\nat all');
      },
    });
    const [{ rule, text, atMs }] = result.violations;
    expect(rule).toBe('exception');
    expect(text).toMatch(/^TypeError: no such thing\nat all\n +at /);
    expect(atMs).toBe(result.faults[0].atMs);
    expect(result.tail.at(-1)).toBe(`${atMs} VIOLATION exception: TypeError: no such thing at all`);
    expect(result.tail.length).toBeGreaterThan(10);
  });
});

describe('a world in which time stands still', () => {
  it('ends, and that is a violation', async () => {
    const world = new World({ seed: 3, durationMs: QUARTER_MS });
    const { events } = world as unknown as { events: EventQueue };
    const again = (): void => void events.in(0, again);
    events.at(60_000, again);
    const { violations, virtualMs } = await world.run();
    expect(violations).toEqual([{ atMs: 60_000, rule: 'endless', text: 'time stands still' }]);
    expect(virtualMs).toBe(60_000);
  });
});
