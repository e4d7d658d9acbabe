/**
 * Numbers as text: what is written is JSON, means the reading to within half of the last digit, and is the shortest
 * that does.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DECIMAL_BYTES_MAX, writeDecimal, writeInteger } from '../../src/device/decimal.ts';
import { runs } from '../seed.ts';

/** `value` as the writer has it; fails when it touches a byte that is not its own. */
function decimal(value: number, digits: number): string {
  const bytes = new Uint8Array(DECIMAL_BYTES_MAX + 2).fill(0xee);
  const end = writeDecimal(bytes, 1, Float64Array.of(7, value), 1, digits, new Float64Array(2));
  expect(end - 1).toBeLessThanOrEqual(DECIMAL_BYTES_MAX);
  expect(bytes[0]).toBe(0xee);
  expect(bytes[end]).toBe(0xee);
  return Buffer.from(bytes.subarray(1, end)).toString('latin1');
}

function integer(value: number): string {
  const bytes = new Uint8Array(12);
  return Buffer.from(bytes.subarray(0, writeInteger(bytes, 0, value))).toString('latin1');
}

describe('a decimal', () => {
  it.each([
    [0, 3, '0'],
    [-0, 3, '0'],
    [21.34, 1, '21.3'],
    [21.35, 1, '21.4'],
    [-21.35, 1, '-21.4'],
    [21, 2, '21'],
    [21.5, 2, '21.5'],
    [0.05, 2, '0.05'],
    [0.5, 0, '1'],
    [-0.4, 0, '0'],
    [-0.04, 1, '0'],
    [-0.05, 1, '-0.1'],
    [0.999, 2, '1'],
    [9.996, 2, '10'],
    [-99.9999, 3, '-100'],
    [1e-9, 9, '0.000000001'],
    [4e-10, 9, '0'],
    [0.123456789, 9, '0.123456789'],
    [12345678.000000002, 9, '12345678.000000002'],
    [99999999, 0, '99999999'],
    [100000000, 0, '100000000'],
    [100000001.5, 1, '100000001.5'],
    [1750498200123, 0, '1750498200123'],
    [1750498200123.456, 3, '1750498200123.456'],
    [9007199254740991, 3, '9007199254740991'],
    [9007199254740992, 3, '9007199254740992'],
    [9999999999999998, 0, '9999999999999998'],
    [1e16, 0, '10000000000000000'],
    [123456789012345680, 0, '123456789012345680'],
    [18446744073709552000, 9, '18446744073709551616'],
    [99999999999999980000, 0, '99999999999999983616'],
    [1e20, 0, '100000000000000000000'],
    [1.5e300, 2, '1.5e+300'],
    [-1e21, 2, '-1e+21'],
    [NaN, 2, 'null'],
    [Infinity, 2, 'null'],
    [-Infinity, 0, 'null'],
  ])('%d with %d digits is %s', (value, digits, text) => {
    expect(decimal(value, digits)).toBe(text);
  });

  const anyDigits = fc.integer({ min: 0, max: 9 });
  const reading = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: -1000, max: 1000, noNaN: true }),
    fc.integer().map((whole) => whole / 1000),
    fc.maxSafeInteger(),
  );

  it('is JSON that means the reading to within half of its last digit', () => {
    fc.assert(
      fc.property(reading, anyDigits, (value, digits) => {
        const text = decimal(value, digits);
        const read = JSON.parse(text) as number;
        const half = 0.5 * 10 ** -digits;
        // Readings have a last bit of their own.
        const slack = Math.abs(value) * 2 ** -52;
        return Math.abs(read - value) <= half * (1 + 1e-9) + slack;
      }),
      runs(20_000),
    );
  });

  it('has no more digits than asked for, no zeros at its end, and no sign on zero', () => {
    fc.assert(
      fc.property(reading, anyDigits, (value, digits) => {
        const text = decimal(value, digits);
        if (Math.abs(value) >= 1e20) return text === String(value);
        return (
          /^-?(0|[1-9]\d*)(\.\d*[1-9])?$/.test(text) &&
          (text.split('.')[1] ?? '').length <= digits &&
          text !== '-0'
        );
      }),
      runs(20_000),
    );
  });

  it('stays what it is when it is read and written again', () => {
    // As far as a double holds 9 decimals at all.
    const fine = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fine, anyDigits, (value, digits) => {
        const text = decimal(value, digits);
        return decimal(Number(text), digits) === text;
      }),
      runs(20_000),
    );
  });

  it('is what toFixed says, wherever that is not a matter of the last bit', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 0, max: 6 }), (whole, digits) => {
        // A quarter above a step of the last digit: nowhere near where rounding changes its mind.
        const value = (whole + 0.25) / 10 ** digits;
        return Number(decimal(value, digits)) === Number(value.toFixed(digits));
      }),
      runs(10_000),
    );
  });

  it('is exact for every integer below 1e20', () => {
    const large = fc.oneof(
      fc.bigInt({ min: 0n, max: 10n ** 20n - 1n }),
      fc.integer({ min: 1, max: 9999 }).map((high) => BigInt(high) * 10n ** 16n - 1n),
      fc.integer({ min: 1, max: 99999999 }).map((high) => BigInt(high) * 10n ** 8n - 1n),
      fc.integer({ min: 53, max: 66 }).map((bits) => 2n ** BigInt(bits) - 1n),
    );
    fc.assert(
      fc.property(large, (exact) => {
        const value = Number(exact);
        return value >= 1e20 || decimal(value, 3) === BigInt(value).toString();
      }),
      runs(10_000),
    );
  });
});

it('decimals are exact just below each multiple of 1e16', () => {
  const bits = new DataView(new ArrayBuffer(8));
  for (let high = 1; high < 10_000; high++) {
    bits.setFloat64(0, high * 1e16);
    // One bit less; the last 32 of these are never all zero.
    bits.setUint32(4, bits.getUint32(4) - 1);
    const below = bits.getFloat64(0);
    if (decimal(below, 0) !== BigInt(below).toString())
      expect(decimal(below, 0)).toBe(BigInt(below).toString());
  }
});

describe('an integer', () => {
  it.each([0, 9, 10, 99999999, 100000000, 100000001, 2147483647, 2147483648, 4294967295])('%d', (value) => {
    expect(integer(value)).toBe(String(value));
  });

  it('is what String says', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4294967295 }), (value) => integer(value) === String(value)),
      runs(5_000),
    );
  });
});
