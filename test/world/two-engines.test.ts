/**
 * How two engines are compared, without the other engine: test/xs/world.test.ts has that. What runs worlds there is played
 * here by what differs from Node in one thing.
 */
import { describe, expect, it } from 'vitest';
import { differenceOf, runOnBoth } from '../../sim/world/two-engines.ts';
import { runWorld, type WorldOptions, type WorldResult } from '../../sim/world/world.ts';

const options: WorldOptions = { seed: 137, durationMs: 180_000, devices: 2 };

/** Lines with hashes before them, as `isTraceHashed` has them. */
const traceOf = (...lines: [hash: string, line: string][]): string[] =>
  lines.map(([hash, line]) => `${hash.padEnd(16, '0')} ${line}`);

describe('the first difference between two traces', () => {
  const ours = traceOf(['a', '10 d0 connects'], ['b', '20 d0 connected'], ['c', '30 d0 publish 1']);

  it('is in a line', () => {
    const theirs = traceOf(['a', '10 d0 connects'], ['x', '21 d0 connected'], ['y', '30 d0 publish 1']);
    expect(differenceOf(theirs, ours)).toEqual({
      atMs: 20,
      text: 'line 2 of the trace is "21 d0 connected" on XS, and "20 d0 connected" in Node',
      tail: ['10 d0 connects', '20 d0 connected'],
    });
  });

  it('is in the bytes before a line', () => {
    const theirs = traceOf(['a', '10 d0 connects'], ['x', '20 d0 connected'], ['y', '30 d0 publish 1']);
    expect(differenceOf(theirs, ours)).toMatchObject({
      atMs: 20,
      text: 'other bytes on the network before line 2, "20 d0 connected"',
    });
  });

  it('is the end of one of them', () => {
    const text = 'line 3 of the trace is not there on XS, and "30 d0 publish 1" in Node';
    expect(differenceOf(ours.slice(0, 2), ours)).toMatchObject({ atMs: 30, text });
    const other = 'line 3 of the trace is "30 d0 publish 1" on XS, and not there in Node';
    expect(differenceOf(ours, ours.slice(0, 2))).toMatchObject({ atMs: 30, text: other });
  });

  it('is in no line', () => {
    expect(differenceOf(ours, ours)).toMatchObject({ text: 'no line differs' });
  });
});

describe('a world on two engines', () => {
  it('is the same', async () => {
    const lines: string[] = [];
    const result = await runOnBoth({ run: runWorld }, { ...options, onTrace: (line) => lines.push(line) });
    expect(result).toEqual(await runWorld(options));
    expect(lines.length).toBeGreaterThan(20);
  });

  it('breaks the rule `engine` where it is not', async () => {
    const run = (given: WorldOptions): Promise<WorldResult> => runWorld({ ...given, faults: [] });
    const { violations, tail } = await runOnBoth({ run }, options);
    const { faults } = await runWorld(options);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toMatchObject({ rule: 'engine', atMs: faults[0].atMs });
    expect(violations[0].text).toMatch(/ in Node$/);
    expect(tail.at(-1)).toContain(' FAULT ');
  });

  it('tells that, and then what else went wrong there', async () => {
    const violations = [{ atMs: 5, rule: 'exception', text: 'TypeError: as this engine says it' }];
    const run = async (given: WorldOptions): Promise<WorldResult> => ({
      ...(await runWorld(given)),
      hash: 'of another text',
      violations,
    });
    const result = await runOnBoth({ run }, options);
    expect(result.violations.map(({ rule }) => rule)).toEqual(['engine', 'exception']);
  });
});

describe('the hash of a trace', () => {
  it('stands before each line, and ends with that of the world', async () => {
    const hashes: string[] = [];
    const onTrace = (line: string): void => {
      hashes.push(/^([0-9a-f]{16}) \d+ /.exec(line)?.[1] ?? line);
    };
    const { hash } = await runWorld({ ...options, isTraceHashed: true, onTrace });
    expect(new Set(hashes).size).toBe(hashes.length);
    expect(hash).toMatch(/^[0-9a-f]{16}$/);
    expect(hashes[0]).not.toBe(hash);
  });
});
