/**
 * `motemq sim` in real time: which flags go together. What it runs is in test/brokers/worlds.test.ts.
 */
import { describe, expect, it } from 'vitest';
import { isRealTime, parseSeconds, realTimeFlags } from '../../targets/cli/sim-real.ts';

describe('motemq sim --real, --server', () => {
  it('is in real time with either, and with both it is a mistake', () => {
    expect(isRealTime({ seed: 1 })).toBe(false);
    expect(isRealTime({ real: 'mosquitto' })).toBe(true);
    expect(isRealTime({ server: 'mqtt://localhost' })).toBe(true);
    expect(() => realTimeFlags({ real: 'motemq', server: 'mqtt://localhost' })).toThrow('one of them');
  });

  it('runs a few seeds when nobody says which, and makes none smaller', () => {
    expect(realTimeFlags({ real: 'mosquitto' })).toMatchObject({ seeds: { fresh: 4 }, shrink: 0 });
    expect(realTimeFlags({ real: 'mosquitto', seed: 7 }).seeds).toBeUndefined();
    expect(realTimeFlags({ real: 'mosquitto', replay: 'file' }).seeds).toBeUndefined();
  });

  it.each([{ shrink: 10 }, { workers: 2 }, { engine: 'xs' }] as const)('refuses %o', (flags) => {
    expect(() => realTimeFlags({ real: 'mosquitto', ...flags })).toThrow('not in real time');
  });

  it('takes 10 to 3600 seconds', () => {
    expect([parseSeconds('10'), parseSeconds('3600')]).toEqual([10, 3600]);
    for (const text of ['9', '3601', '1.5', 'x', ''])
      expect(() => parseSeconds(text)).toThrow('whole number');
  });
});
