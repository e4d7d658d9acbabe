/**
 * What benches compute with: medians and spreads, turns, selection, scales and plots, figures in a page. No time is judged.
 */
import { describe, expect, it } from 'vitest';
import { Calibration, measure, median, noiseText, spread } from '../../bench/measure.ts';
import { replaceFigures } from '../../bench/markdown.ts';
import { LogScale, shortNumber } from '../../bench/plot-scale.ts';
import { plotResults } from '../../bench/plot.ts';
import type { Results } from '../../bench/results.ts';
import { Selection } from '../../bench/selection.ts';

const curve = {
  title: 'encode <PUBLISH>',
  xTitle: 'payload bytes',
  unit: 'ns',
  points: [
    { x: 0, ours: 10, theirs: 100 },
    { x: 1024, ours: 20, theirs: 4000 },
  ],
};

const calls = { reads: 0.01, writes: 0.02, bytesRead: 0, bytesWritten: 72 };
const clientFigures = {
  cpuRatio: 12.3,
  vsSocket: 0.97,
  cpuMicroseconds: 0.1,
  theirCpuMicroseconds: 1.23,
  bareCpuMicroseconds: 0.05,
  perSecond: 1e6,
  theirPerSecond: 1e5,
  barePerSecond: 2e6,
  calls: { ours: calls, theirs: calls, bare: calls },
};

const results: Results = {
  client: { publish0: { ...clientFigures, onMotemq: { ...clientFigures, cpuRatio: 0.5 } } },
  growth: { payloadEncode: curve },
  allocation: { publish0: { bytes: 19, theirBytes: 4234 } },
  run: { date: '2025-06-21', node: 'v20.0.0', cores: 2, seconds: 300 },
};

describe('medians and spreads', () => {
  it('are those of the values, whatever their order', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(spread([10, 10, 10, 10])).toBe(0);
    expect(spread([1, 9, 10, 11, 100])).toBeCloseTo(0.2);
  });
});

describe('measure', () => {
  it('runs every contender in every round, each round beginning with another one', () => {
    const order: string[] = [];
    const contender = (name: string) => ({
      name,
      work: (count: number) => {
        order.push(name);
        let sum = 0;
        for (let turn = 0; turn < count * 1000; turn++) sum = (sum + turn) | 0;
        return sum;
      },
    });
    const patience = { rounds: 4, roundMs: 1, warmUpMs: 1 };
    const measured = measure([contender('a'), contender('b')], patience);
    expect(measured.map(({ name, perSecond }) => [name, perSecond.length])).toEqual([
      ['a', 4],
      ['b', 4],
    ]);
    expect(order.slice(-8).join('')).toBe('abbaabba');
  });

  it('says how noisy the machine is once it was looked at', () => {
    const calibration = new Calibration();
    expect(calibration.noise()).toBeUndefined();
    calibration.run();
    calibration.run();
    const noise = calibration.noise()!;
    expect(noise.rounds).toBe(2);
    expect(noiseText(noise)).toMatch(/over 2 rounds .* \d+ % apart in processor time, \d+ % by the clock/);
  });
});

describe('a selection', () => {
  const benches = ['codec', 'client'];

  it('is everything by default, else what is named', () => {
    expect(new Selection(undefined, benches).hasCase('codec', 'publish')).toBe(true);
    const selection = new Selection(['client.publish0', 'codec'], benches);
    expect(selection.hasBench('client')).toBe(true);
    expect(selection.hasCase('client', 'publish0')).toBe(true);
    expect(selection.hasCase('client', 'publish1')).toBe(false);
    expect(selection.hasCase('codec', 'connect')).toBe(true);
  });

  it('refuses a bench that there is not', () => {
    expect(() => new Selection(['codecs'], benches)).toThrow(
      'there is no bench codecs; there are codec, client',
    );
  });
});

describe('a scale of powers', () => {
  it('puts the middle power in the middle and marks round values', () => {
    const scale = new LogScale(1, 100, 0, 200);
    expect(scale.at(10)).toBeCloseTo(100);
    expect(scale.ticks()).toEqual([1, 2, 5, 10, 20, 50, 100]);
    expect(new LogScale(1, 1e6, 0, 1).ticks()).toEqual([1, 10, 100, 1000, 1e4, 1e5, 1e6]);
  });

  it('is widened to marks', () => {
    const { low, high } = new LogScale(0.3, 70, 0, 1).widened();
    expect(low).toBeCloseTo(0.2);
    expect(high).toBeCloseTo(100);
  });

  it.each([
    [65_536, '64Ki'],
    [1500, '1.5k'],
    [2_000_000, '2M'],
    [16, '16'],
    [0.25, '0.25'],
  ])('writes %d as %s', (value, text) => {
    expect(shortNumber(value)).toBe(text);
  });
});

describe('the plot', () => {
  const svg = plotResults(results);

  it('has a bar for each ratio and both lines of each curve, all of them in finite places', () => {
    expect(svg.match(/<polyline/g)).toHaveLength(2);
    expect(svg).toContain('publish, QoS 0, Mosquitto: processor');
    expect(svg).toContain('12×');
    expect(svg).toContain('0.5×');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it('is well-formed, and loads nothing', () => {
    expect(svg).toContain('encode &lt;PUBLISH&gt;');
    const open = svg.match(/<(text|svg)\b/g)!.length;
    expect(svg.match(/<\/(text|svg)>/g)).toHaveLength(open);
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|url\(/);
  });
});

describe('figures in a page', () => {
  const page =
    'before\n<!-- figures: written by npm run bench -- --markdown, not by hand -->\nold\n<!-- end of figures -->\nafter\n';

  it('replace what is between the markers, and that again', () => {
    const once = replaceFigures(page, results);
    expect(once).toMatch(/^before\n[^]*after\n$/);
    expect(once).not.toContain('old');
    expect(once).toContain('| publish, QoS 0 | 0.10 | 1.23 | 0.05 | **12×** |');
    expect(once).toContain('| `publish0` | 19 | 4,234 |');
    expect(replaceFigures(once, results)).toBe(once);
  });

  it('need markers', () => {
    expect(() => replaceFigures('nothing', results)).toThrow('to write between');
  });
});
