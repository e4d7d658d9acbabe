/** Deadlines: what fires when, in which order, and that it ends. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Deadlines, type Deadline } from '../../sim/broker/deadlines.ts';
import { Random, runs, SEED } from '../seed.ts';

/** A deadline that writes its name down, and then does something. */
function named(name: string, fired: string[], then: (nowMs: number) => void = () => undefined): Deadline {
  return {
    atMs: 0,
    heapIndex: -1,
    fire(nowMs) {
      fired.push(name);
      then(nowMs);
    },
  };
}

describe('Deadlines', () => {
  test('fires what is due, the earliest first, and keeps the others', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    expect(deadlines.nextMs()).toBe(Infinity);
    deadlines.set(named('third', fired), 30.5);
    deadlines.set(named('first', fired), 10);
    deadlines.set(named('second', fired), 20);
    expect(deadlines.nextMs()).toBe(10);
    deadlines.advance(9.9);
    expect(fired).toEqual([]);
    deadlines.advance(20);
    expect(fired).toEqual(['first', 'second']);
    expect(deadlines.count).toBe(1);
    expect(deadlines.nextMs()).toBe(30.5);
  });

  test('ties fire in the order they were set; one that is moved is then the last', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    const list = ['a', 'b', 'c', 'd'].map((name) => named(name, fired));
    for (const deadline of list) deadlines.set(deadline, 5);
    deadlines.set(list[1], 5);
    deadlines.set(list[0], 7);
    deadlines.set(list[0], 5);
    expect(deadlines.count).toBe(4);
    deadlines.advance(5);
    expect(fired).toEqual(['c', 'd', 'b', 'a']);
  });

  test('what is cleared does not fire, and may be cleared again', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    const deadline = named('a', fired);
    deadlines.clear(deadline);
    deadlines.set(deadline, 5);
    deadlines.clear(deadline);
    deadlines.clear(deadline);
    deadlines.set(deadline, 6);
    deadlines.set(deadline, Infinity);
    expect(deadline.heapIndex).toBe(-1);
    expect(deadlines.count).toBe(0);
    deadlines.advance(100);
    expect(fired).toEqual([]);
  });

  test('is not scheduled any more while it fires, and gets the time of the call', () => {
    const deadlines = new Deadlines();
    const seen: number[] = [];
    const deadline: Deadline = {
      atMs: 0,
      heapIndex: -1,
      fire(nowMs) {
        seen.push(nowMs, deadline.heapIndex, deadlines.count);
      },
    };
    deadlines.set(deadline, 5);
    deadlines.advance(8);
    expect(seen).toEqual([8, -1, 0]);
  });

  test('what is set while firing for a time already due fires in the same call, in its place', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    const late = named('late', fired);
    const cleared = named('cleared', fired);
    const first = named('first', fired, () => {
      deadlines.set(late, 5);
      deadlines.clear(cleared);
    });
    deadlines.set(first, 3);
    deadlines.set(cleared, 4);
    deadlines.set(named('second', fired), 7);
    deadlines.advance(10);
    expect(fired).toEqual(['first', 'late', 'second']);
    expect(deadlines.count).toBe(0);
  });

  test('one that sets itself anew for a time long past neither holds up the others nor goes on for ever', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    let count = 0;
    const again: Deadline = {
      atMs: 0,
      heapIndex: -1,
      fire() {
        count++;
        deadlines.set(again, 1);
      },
    };
    deadlines.set(again, 1);
    for (const name of ['a', 'b']) deadlines.set(named(name, fired), 10);
    deadlines.set(named('c', fired), 11);
    deadlines.advance(10);
    expect(fired).toEqual(['a', 'b']);
    expect(count).toBeGreaterThan(1);
    expect(deadlines.nextMs()).toBe(10);
    const before = count;
    deadlines.advance(10);
    expect(count).toBeGreaterThan(before);
    deadlines.clear(again);
    deadlines.set(again, 5);
    expect(deadlines.nextMs()).toBe(5);
  });

  test('as many as there were may each set another that is due', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    for (let index = 0; index < 5000; index++) {
      const second = named('second', fired);
      deadlines.set(
        named('first', fired, () => {
          deadlines.set(second, index);
        }),
        index,
      );
    }
    deadlines.advance(5000);
    expect(fired).toHaveLength(10_000);
    expect(fired.slice(0, 4)).toEqual(['first', 'second', 'first', 'second']);
    expect(deadlines.count).toBe(0);
  });

  test('an error is thrown on; the others stay scheduled', () => {
    const deadlines = new Deadlines();
    const fired: string[] = [];
    deadlines.set(
      named('faulty', fired, () => {
        throw new Error('at fault');
      }),
      1,
    );
    deadlines.set(named('next', fired), 2);
    expect(() => {
      deadlines.advance(5);
    }).toThrow('at fault');
    deadlines.advance(5);
    expect(fired).toEqual(['faulty', 'next']);
  });

  test('refuses what is no time', () => {
    const deadlines = new Deadlines();
    expect(() => {
      deadlines.set(named('a', []), NaN);
    }).toThrow(RangeError);
    expect(deadlines.count).toBe(0);
  });

  test('does as a sorted list does', () => {
    const step = fc.oneof(
      fc.record({ verb: fc.constant('set'), which: fc.nat(15), ms: fc.nat(20) }),
      fc.record({ verb: fc.constant('clear'), which: fc.nat(15), ms: fc.constant(0) }),
      fc.record({ verb: fc.constant('advance'), which: fc.constant(0), ms: fc.nat(4) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const deadlines = new Deadlines();
        const fired: string[] = [];
        const list = Array.from({ length: 16 }, (_, which) => named(String(which), fired));
        const expected: string[] = [];
        let model: { which: number; atMs: number }[] = [];
        let nowMs = 0;
        for (const { verb, which, ms } of steps) {
          if (verb === 'advance') {
            nowMs += ms;
            deadlines.advance(nowMs);
            for (const due of model.filter(({ atMs }) => atMs <= nowMs)) expected.push(String(due.which));
            model = model.filter(({ atMs }) => atMs > nowMs);
          } else {
            model = model.filter((other) => other.which !== which);
            if (verb === 'clear') deadlines.clear(list[which]);
            else {
              deadlines.set(list[which], nowMs - 5 + ms);
              model.push({ which, atMs: nowMs - 5 + ms });
              model.sort((a, b) => a.atMs - b.atMs); // stable: ties stay in the order they were set
            }
          }
          expect(deadlines.count).toBe(model.length);
          expect(deadlines.nextMs()).toBe(model.length === 0 ? Infinity : model[0].atMs);
        }
        expect(fired).toEqual(expected);
      }),
      runs(300),
    );
  });

  test('20,000 of them, moved and cleared at random, fire in order', () => {
    const random = new Random(SEED);
    const deadlines = new Deadlines();
    const fired: Deadline[] = [];
    const list = Array.from({ length: 20_000 }, () => {
      const deadline: Deadline = { atMs: 0, heapIndex: -1, fire: () => fired.push(deadline) };
      return deadline;
    });
    for (const deadline of list) deadlines.set(deadline, random.below(1_000_000));
    for (let count = 0; count < 50_000; count++) deadlines.set(random.pick(list), random.below(1_000_000));
    const cleared = list.filter(() => random.below(4) === 0);
    for (const deadline of cleared) deadlines.clear(deadline);
    expect(deadlines.count).toBe(20_000 - cleared.length);
    for (let nowMs = 0; nowMs <= 1_000_000; nowMs += 1000) {
      deadlines.advance(nowMs);
      expect(deadlines.nextMs()).toBeGreaterThan(nowMs);
    }
    expect(deadlines.count).toBe(0);
    expect(fired).toHaveLength(20_000 - cleared.length);
    expect(fired.every(({ atMs }, index) => index === 0 || fired[index - 1].atMs <= atMs)).toBe(true);
  });
});
