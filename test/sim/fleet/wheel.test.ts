/** The wheel that drives all devices, against plain sorting. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../sim/fleet/random.ts';
import { Wheel } from '../../../sim/fleet/wheel.ts';

/** The ids that come up at `nowMs`. */
function due(wheel: Wheel, nowMs: number, limit = Infinity): number[] {
  const ids: number[] = [];
  wheel.advance(nowMs, limit, (id) => ids.push(id));
  return ids;
}

describe('Wheel', () => {
  it('brings each id up once, not before its time', () => {
    const wheel = new Wheel(3, 1000);
    wheel.schedule(0, 1010);
    wheel.schedule(1, 1005.5);
    expect(wheel.nextMs()).toBe(1005);
    expect(due(wheel, 1005.4)).toEqual([]);
    expect(due(wheel, 1005.5)).toEqual([1]);
    expect(due(wheel, 1500)).toEqual([0]);
    expect(due(wheel, 9000)).toEqual([]);
    expect(wheel.nextMs()).toBe(Infinity);
  });

  it('replaces and cancels', () => {
    const wheel = new Wheel(3, 0);
    wheel.schedule(0, 5);
    wheel.schedule(0, 50);
    wheel.schedule(1, 5);
    wheel.schedule(2, 5);
    wheel.cancel(1);
    wheel.cancel(1);
    expect(wheel.size).toBe(2);
    expect(due(wheel, 10)).toEqual([2]);
    expect(due(wheel, 50)).toEqual([0]);
  });

  it('leaves alone what is due in a later round', () => {
    const wheel = new Wheel(2, 0);
    wheel.schedule(0, 4096 + 7);
    wheel.schedule(1, 7);
    expect(due(wheel, 8)).toEqual([1]);
    expect(due(wheel, 4096 + 6)).toEqual([]);
    expect(due(wheel, 4096 + 7)).toEqual([0]);
  });

  it('tells the time that was asked for, and lets a late id come up again at once', () => {
    const wheel = new Wheel(1, 0);
    const times: number[] = [];
    wheel.schedule(0, 100);
    for (let call = 0; call < 4; call++) {
      wheel.advance(450, Infinity, (id, dueMs) => {
        times.push(dueMs);
        wheel.schedule(id, dueMs + 100);
      });
    }
    expect(times).toEqual([100, 200, 300, 400]);
    expect(wheel.nextMs()).toBeLessThanOrEqual(500);
  });

  it('lets an id that comes up take another off', () => {
    const wheel = new Wheel(2, 0);
    wheel.schedule(0, 5);
    wheel.schedule(1, 5);
    const ids: number[] = [];
    wheel.advance(5, Infinity, (id) => {
      ids.push(id);
      wheel.cancel(1 - id);
    });
    expect(ids).toHaveLength(1);
    expect(wheel.size).toBe(0);
  });

  it('stops at the limit and goes on from there', () => {
    const wheel = new Wheel(100, 0);
    for (let id = 0; id < 100; id++) wheel.schedule(id, id);
    const ids: number[] = [];
    expect(wheel.advance(99, 10, (id) => ids.push(id))).toBe(true);
    expect(ids).toHaveLength(10);
    expect(wheel.advance(99, Infinity, (id) => ids.push(id))).toBe(false);
    expect(ids).toEqual(Array.from({ length: 100 }, (_, id) => id));
  });

  it('agrees with sorting, for any times and steps', () => {
    const random = new Random(11);
    for (let round = 0; round < 20; round++) {
      const start = random.nextBelow(100_000);
      const wheel = new Wheel(200, start);
      const times = Array.from({ length: 200 }, () => start + random.nextBelow(20_000));
      times.forEach((time, id) => wheel.schedule(id, time));
      let nowMs = start;
      const seen = new Set<number>();
      while (wheel.size > 0) {
        const before = nowMs;
        nowMs += random.nextBelow(9000);
        expect(wheel.nextMs()).toBeLessThanOrEqual(Math.min(...times.filter((_, id) => !seen.has(id))));
        for (const id of due(wheel, nowMs)) {
          expect(times[id]).toBeLessThanOrEqual(nowMs);
          expect(seen.has(id)).toBe(false);
          seen.add(id);
        }
        for (const [id, time] of times.entries()) if (time <= before) expect(seen.has(id)).toBe(true);
      }
      expect(seen.size).toBe(200);
    }
  });
});
