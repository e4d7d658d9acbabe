/**
 * The ring of samples: in order, bounded, the oldest giving way.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SampleBuffer } from '../../src/device/sample-buffer.ts';
import { runs } from '../seed.ts';

function put(buffer: SampleBuffer, value: number, tick = 0, metric = 0): void {
  const index = buffer.add();
  buffer.values[index] = value;
  buffer.ticks[index] = tick;
  buffer.metrics[index] = metric;
}

function valuesOf(buffer: SampleBuffer): number[] {
  return Array.from({ length: buffer.count }, (_, n) => buffer.values[buffer.index(n)]);
}

describe('a sample buffer', () => {
  it('takes 13 bytes a sample', () => {
    const { values, ticks, metrics } = new SampleBuffer(100);
    expect(values.byteLength + ticks.byteLength + metrics.byteLength).toBe(1300);
  });

  it('drops the oldest and counts them', () => {
    const buffer = new SampleBuffer(3);
    for (let value = 1; value <= 5; value++) put(buffer, value);
    expect(valuesOf(buffer)).toEqual([3, 4, 5]);
    expect(buffer.dropped).toBe(2);
    buffer.consume(2);
    put(buffer, 6);
    expect(valuesOf(buffer)).toEqual([5, 6]);
  });

  it('knows ages across the end of its ticks', () => {
    const buffer = new SampleBuffer(2);
    put(buffer, 1, 4294967290);
    expect(buffer.age(0, 4294967295)).toBe(5);
    expect(buffer.age(0, 4294967296 + 10)).toBe(16);
    // A clock that counts from 1970.
    put(buffer, 2, 1750498200123.75);
    expect(buffer.age(1, 1750498200123.75)).toBe(0);
    expect(buffer.age(1, 1750498260123.5)).toBe(60000);
  });

  it('is a queue that forgets its head', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 9 }) }),
      fc.record({ consume: fc.integer({ min: 1, max: 9 }) }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.array(step as fc.Arbitrary<any>), (capacity, steps) => {
        const buffer = new SampleBuffer(capacity);
        let model: number[] = [];
        let dropped = 0;
        let next = 0;
        for (const { add, consume } of steps) {
          if (add !== undefined) {
            for (let i = 0; i < add; i++) {
              put(buffer, next);
              model.push(next++);
              if (model.length > capacity) {
                model.shift();
                dropped++;
              }
            }
          } else {
            const count = Math.min(consume, model.length);
            buffer.consume(count);
            model = model.slice(count);
          }
        }
        expect(valuesOf(buffer)).toEqual(model);
        expect(buffer.dropped).toBe(dropped);
      }),
      runs(500),
    );
  });
});
