/**
 * How numbers, times and sizes are shown to people.
 */
import { describe, expect, it } from 'vitest';
import { linearScale, logScale, timeScale, timeTickFormat } from '../../../sim/fleet/chart-scale.ts';
import {
  cleanText,
  fitText,
  formatBytes,
  formatClock,
  formatCompact,
  formatDuration,
  formatLatency,
  formatShare,
  padText,
  shrink,
  sparkline,
  textWidth,
} from '../../../sim/fleet/format.ts';

describe('numbers as text', () => {
  it('keeps three digits and picks the unit', () => {
    expect([0, 999, 1000, 12345, 999_999, 2.5e9].map(formatCompact)).toEqual([
      '0',
      '999',
      '1k',
      '12.3k',
      '1M',
      '2.5G',
    ]);
    expect([0, 999, 1234, 1200, 5e6].map(formatBytes)).toEqual([
      '0 B',
      '999 B',
      '1.23 kB',
      '1.20 kB',
      '5.00 MB',
    ]);
    expect([0.001, 0.9994, 0.9996, 1.2, 999.4, 999.6, 12_345, null].map(formatLatency)).toEqual([
      '1 µs',
      '999 µs',
      '1.00 ms',
      '1.20 ms',
      '999 ms',
      '1.00 s',
      '12.3 s',
      '–',
    ]);
    expect([0, 450, 9_949, 9_960, 60_000, 125_000, 5_400_000].map(formatDuration)).toEqual([
      '0 s',
      '0.5 s',
      '9.9 s',
      '10 s',
      '1 min',
      '2 min 05 s',
      '1 h 30 min',
    ]);
    expect([0, 125_999, 3_725_000].map(formatClock)).toEqual(['00:00', '02:05', '1:02:05']);
  });

  it('never rounds a loss away', () => {
    expect(formatShare(1_000_000, 1_000_000)).toBe('100 %');
    expect(formatShare(999_999, 1_000_000)).toBe('> 99.999 %');
    expect(formatShare(99_996, 100_000)).toBe('99.996 %');
    expect(formatShare(1, 1_000_000)).toBe('< 0.001 %');
    expect(formatShare(0, 5)).toBe('0 %');
    expect(formatShare(0, 0)).toBe('–');
    expect(formatShare(331, 1000)).toBe('33.1 %');
  });
});

describe('text in columns', () => {
  it('measures and cuts what a terminal shows', () => {
    expect(textWidth('温度')).toBe(4);
    expect(textWidth('e\u0301')).toBe(1);
    expect(fitText('telemetry', 5)).toBe('tele…');
    expect(textWidth(fitText('温度温度', 4))).toBeLessThanOrEqual(4);
    expect(fitText('温度', 0)).toBe('');
    expect(padText('温', 4)).toBe('温  ');
    expect(padText('7', 3, 'right')).toBe('  7');
  });

  it('takes the teeth out of control characters', () => {
    expect(cleanText('a\u001b[2Jb\r\nc\u202ed\u0000')).toBe('a [2Jb c d ');
  });

  it('draws bars and merges neighbours', () => {
    expect(sparkline([0, 1, 2, 4, null, 8], 10)).toBe('▁▂▃▅ █');
    expect(sparkline([1, 2, 3], 2)).toHaveLength(2);
    expect(sparkline([0, 0], 4)).toBe('▁▁');
    expect(shrink([1, 2, 3, 4, 5], 2, (group) => Math.max(...group))).toEqual([2, 5]);
  });
});

describe('axes', () => {
  it('has round ticks that enclose the values', () => {
    expect(linearScale(1976).ticks).toEqual([0, 500, 1000, 1500, 2000]);
    expect(linearScale(0).ticks).toEqual([0, 1]);
    expect(linearScale(3).ticks).toEqual([0, 1, 2, 3]);
    expect(logScale(1.3, 4800).ticks).toEqual([1, 10, 100, 1000]);
    expect(logScale(1.3, 1.4).ticks).toEqual([1, 2]);
    expect(logScale(1, 1).ticks).toEqual([1, 2]);
    expect(logScale(0.001, 0.0031).ticks[0]).toBe(0.001);
    for (const highest of [1, 7, 99, 100, 101, 5e6]) {
      const scale = linearScale(highest);
      expect(scale.at(highest)).toBeLessThanOrEqual(1);
      expect(scale.ticks.at(-1)).toBeGreaterThanOrEqual(highest);
      expect(scale.ticks.length).toBeLessThanOrEqual(7);
    }
  });

  it('counts time as people do', () => {
    const written = (spanMs: number): string[] => timeScale(spanMs).ticks.map(timeTickFormat(spanMs));
    expect(written(90_000)).toEqual(['0', '15 s', '30 s', '45 s', '60 s', '75 s', '90 s']);
    expect(written(900_000)).toContain('14 min');
    expect(written(200_000)[1]).toBe('0:30');
    expect(written(4 * 3_600_000)).toContain('1 h 30');
    expect(written(90 * 86_400_000).length).toBeLessThanOrEqual(9);
  });
});
