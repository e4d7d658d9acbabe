/**
 * Copying and moving bytes, on both sides of the length from which the engine's native copy is used.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyBytes, copyRange, isEqualRange, moveDown } from '../../src/wire/bytes.ts';
import { runs } from '../seed.ts';

const arrays = fc.uint8Array({ maxLength: 100 });

describe('copying bytes', () => {
  it('copies so many bytes, and no more', () => {
    fc.assert(
      fc.property(arrays, fc.nat(100), fc.nat(5), (source, wanted, at) => {
        const length = Math.min(wanted, source.length);
        const target = new Uint8Array(at + source.length + 5).fill(0xee);
        const ranged = target.slice();
        copyBytes(source, length, target, at);
        copyRange(source, 0, length, ranged, at);
        const expected = [...Array(at).fill(0xee), ...source.subarray(0, length)];
        while (expected.length < target.length) expected.push(0xee);
        expect(Array.from(target)).toEqual(expected);
        expect(ranged).toEqual(target);
      }),
      runs(500),
    );
  });

  it('moves down within one array, overlapping or not, natively or by hand', () => {
    fc.assert(
      fc.property(arrays, fc.nat(100), fc.nat(100), fc.nat(100), (source, a, b, c) => {
        const [at, from, to] = [a, b, c].map((n) => Math.min(n, source.length)).sort((x, y) => x - y);
        const moved = source.slice();
        moveDown(moved, at, from, to);
        // An engine without copyWithin, as Espruino is.
        const byHand = Array.from(source) as unknown as Uint8Array;
        Object.defineProperty(byHand, 'copyWithin', { value: undefined });
        moveDown(byHand, at, from, to);
        const expected = source.slice();
        expected.set(source.slice(from, to), at);
        expect(moved).toEqual(expected);
        expect(Array.from(byHand)).toEqual(Array.from(expected));
      }),
      runs(500),
    );
  });

  it('compares ranges', () => {
    fc.assert(
      fc.property(arrays, arrays, fc.nat(4), (a, b, at) => {
        const length = Math.min(a.length, b.length);
        const left = Uint8Array.of(...Array<number>(at).fill(1), ...a);
        const isEqual = Buffer.compare(a.subarray(0, length), b.subarray(0, length)) === 0;
        expect(isEqualRange(left, at, b, 0, length)).toBe(isEqual);
        expect(isEqualRange(left, at, a, 0, a.length)).toBe(true);
      }),
      runs(500),
    );
  });
});
