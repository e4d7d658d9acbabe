/**
 * The ring against a naive model: a plain array that bytes are pushed to and shifted from.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ring } from '../../src/wire/ring.ts';
import { runs } from '../seed.ts';

const CAPACITY = 24;

/** What is done to the ring; numbers are cut down to what is possible. */
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), count: fc.nat(CAPACITY + 2) }) },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('consume' as const), count: fc.nat(CAPACITY) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), count: fc.constant(0) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('replace' as const), count: fc.nat(8) }) },
  ),
  { maxLength: 60 },
);

describe('the ring', () => {
  it('holds what was written and not consumed, in one piece, and refuses only what does not fit', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const ring = new Ring(new Uint8Array(CAPACITY));
        let model: number[] = [];
        let next = 1;
        for (const step of list) {
          const capacity = ring.bytes.length;
          if (step.do === 'write') {
            const hasRoom = model.length + step.count <= capacity;
            expect(ring.reserve(step.count)).toBe(hasRoom);
            if (hasRoom) {
              expect(capacity - ring.end).toBeGreaterThanOrEqual(step.count);
              for (let i = 0; i < step.count; i++) {
                ring.bytes[ring.end + i] = next;
                model.push(next);
                next = (next % 250) + 1;
              }
              ring.end += step.count;
            }
          } else if (step.do === 'consume') {
            const count = Math.min(step.count, model.length);
            ring.consume(count);
            model = model.slice(count);
          } else if (step.do === 'clear') {
            ring.clear();
            model = [];
          } else {
            ring.replace(new Uint8Array(Math.max(model.length, capacity - 2) + step.count));
          }
          expect(ring.byteLength()).toBe(model.length);
          expect(ring.freeByteLength()).toBe(ring.bytes.length - model.length);
          expect(Array.from(ring.bytes.subarray(ring.start, ring.end))).toEqual(model);
        }
      }),
      runs(1000),
    );
  });

  it('leaves the content where it is as long as there is room behind it', () => {
    const ring = new Ring(new Uint8Array(8));
    ring.end = 6;
    ring.consume(3);
    expect(ring.reserve(2)).toBe(true);
    expect([ring.start, ring.end]).toEqual([3, 6]);
    expect(ring.reserve(3)).toBe(true);
    expect([ring.start, ring.end]).toEqual([0, 3]);
    expect(ring.reserve(6)).toBe(false);
    expect([ring.start, ring.end]).toEqual([0, 3]);
  });

  it('starts from the front again whenever it is empty', () => {
    const ring = new Ring(new Uint8Array(8));
    ring.end = 5;
    ring.consume(5);
    expect([ring.start, ring.end]).toEqual([0, 0]);
  });
});
