/**
 * The schedule over hours of virtual time: no drift, no bursts; and what is worth telling.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Schedule } from '../../src/device/schedule.ts';
import { runs } from '../seed.ts';

const HOUR_MS = 3_600_000;

/** A schedule of metrics with these intervals, started at `atMs`. */
function started(everyMs: number[], atMs = 0): Schedule {
  const schedule = new Schedule(everyMs.length);
  everyMs.forEach((one, i) => {
    schedule.define(i, 3);
    schedule.change(i, one, 0, 0, true, atMs);
  });
  schedule.start(atMs);
  return schedule;
}

/** When each metric is read until `untilMs`, by a host that wakes up `lateMs()` after it should. */
function readings(schedule: Schedule, untilMs: number, lateMs: () => number): number[][] {
  const times = Array.from({ length: schedule.count }, (): number[] => []);
  let nowMs = 0;
  while (schedule.nextMs <= untilMs) {
    nowMs = Math.max(nowMs, schedule.nextMs) + lateMs();
    for (let i = 0; i < schedule.count; i++) if (schedule.take(i, nowMs)) times[i].push(nowMs);
    schedule.findNext();
  }
  return times;
}

describe('readings', () => {
  it('come at their intervals, from the start on', () => {
    const [fast, slow] = readings(started([10_000, 300_000], 500), 4 * HOUR_MS, () => 0);
    expect(fast).toEqual(Array.from({ length: 1440 }, (_, n) => 500 + n * 10_000));
    expect(slow).toEqual(Array.from({ length: 48 }, (_, n) => 500 + n * 300_000));
  });

  it('do not drift when every timer is late', () => {
    const [times] = readings(started([1000]), 10 * HOUR_MS, () => 7.25);
    expect(times).toHaveLength(36_001);
    times.forEach((time, n) => expect(time).toBe(n * 1000 + 7.25));
  });

  it('that were missed are left out, and the grid stays', () => {
    const schedule = started([1000]);
    expect(schedule.take(0, 0)).toBe(true);
    expect(schedule.take(0, 999)).toBe(false);
    // Asleep for an hour and a bit.
    expect(schedule.take(0, HOUR_MS + 300)).toBe(true);
    expect(schedule.take(0, HOUR_MS + 300)).toBe(false);
    schedule.findNext();
    expect(schedule.nextMs).toBe(HOUR_MS + 1000);
    // On the point of the grid, that one is now's.
    expect(schedule.take(0, HOUR_MS + 5000)).toBe(true);
    schedule.findNext();
    expect(schedule.nextMs).toBe(HOUR_MS + 6000);
  });

  it('are on the grid and never two for one point of it, however late the host is', () => {
    const late = fc.array(fc.oneof(fc.nat(20), fc.nat(5000), fc.double({ min: 0, max: 50, noNaN: true })), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 2000 }), late, (everyMs, delays) => {
        let n = 0;
        const [times] = readings(started([everyMs]), 60_000, () => delays[n++ % delays.length]);
        const points = times.map((time) => Math.floor(time / everyMs));
        return points.every((point, i) => i === 0 || point > points[i - 1]);
      }),
      runs(300),
    );
  });

  it('stop, and start again on another grid', () => {
    const schedule = started([1000]);
    schedule.take(0, 0);
    schedule.stop();
    expect(schedule.nextMs).toBe(Infinity);
    expect(schedule.take(0, 1e9)).toBe(false);
    schedule.start(2500);
    expect(schedule.nextMs).toBe(2500);
  });
});

describe('a change', () => {
  it('of the interval counts from the last reading', () => {
    const schedule = started([10_000]);
    schedule.take(0, 0);
    schedule.change(0, 2000, 0, 0, true, 500);
    schedule.findNext();
    expect(schedule.nextMs).toBe(2000);
    schedule.change(0, 100, 0, 0, true, 1500);
    schedule.findNext();
    expect(schedule.nextMs).toBe(1500); // overdue by the new interval
  });

  it('of nothing leaves the grid alone', () => {
    const schedule = started([1000]);
    schedule.take(0, 0);
    schedule.change(0, 1000, 2, 0, true, 400);
    schedule.findNext();
    expect(schedule.nextMs).toBe(1000);
  });

  it('disables, and enables at once', () => {
    const schedule = started([1000]);
    schedule.take(0, 0);
    schedule.change(0, 1000, 0, 0, false, 100);
    schedule.findNext();
    expect(schedule.nextMs).toBe(Infinity);
    expect(schedule.isEnabled(0)).toBe(false);
    schedule.change(0, 1000, 0, 0, true, 7300);
    schedule.findNext();
    expect(schedule.nextMs).toBe(7300);
  });

  it('does not start what is not started', () => {
    const schedule = new Schedule(1);
    schedule.define(0, 0);
    schedule.change(0, 1000, 0, 0, true, 100);
    schedule.findNext();
    expect(schedule.nextMs).toBe(Infinity);
  });
});

describe('a reading is told', () => {
  /** Which of `values`, taken a second apart, are told. */
  function told(values: number[], deadband: number, maxSilenceMs: number, jitterMs = 0): number[] {
    const schedule = started([1000]);
    schedule.change(0, 1000, deadband, maxSilenceMs, true, 0);
    return values.flatMap((value, n) => {
      schedule.numbers[schedule.readingAt] = value;
      const nowMs = n * 1000 + (n % 2) * jitterMs;
      return schedule.isWorthTelling(0, nowMs) ? [n] : [];
    });
  }

  it('always without a deadband', () => {
    expect(told([1, 1, 1, NaN, NaN], 0, 0)).toEqual([0, 1, 2, 3, 4]);
  });

  it('when it differs by the deadband from what was told last, not from what was read last', () => {
    expect(told([20, 20.1, 20.19, 20.25, 20.3, 20.04, 20.5], 0.2, 0)).toEqual([0, 3, 5, 6]);
  });

  it('when it stops or begins to be a number', () => {
    expect(told([20, NaN, NaN, 20, 20], 5, 0)).toEqual([0, 1, 3]);
  });

  it('after the longest silence, also when the timers are a little early', () => {
    const same = Array.from({ length: 10 }, () => 20);
    expect(told(same, 1, 3000)).toEqual([0, 3, 6, 9]);
    expect(told(same, 1, 3000, 40)).toEqual([0, 3, 6, 9]);
    expect(told([20, 20, 30, 30, 30, 30], 1, 3000)).toEqual([0, 2, 5]);
  });

  it('first of all, whatever it is', () => {
    expect(told([NaN, NaN], 1, 0)).toEqual([0]);
    expect(told([0, 0], 1, 0)).toEqual([0]);
  });
});
