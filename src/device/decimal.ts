/**
 * Readings as decimals of a few digits: the rounding that both encoders share, and decimals as text. Makes no string
 * and no object, and takes numbers out of arrays, for a fraction that is an argument is an object in some engines.
 */
import { writeUtf8 } from '../wire/utf8.ts';

/** Ten to the power of the index: how much larger a number with so many decimals is without its point. */
export const SCALES = new Float64Array([1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]);

/** What `splitDecimal` says of a number. */
export const NOT_NEGATIVE = 0;
export const NEGATIVE = 1;
/** NaN or infinite. */
export const NO_VALUE = 2;

/** From here on a number is written by the engine: no sensor knows twenty digits. */
const PLAIN_MAX = 1e20;

/** Bytes that `writeDecimal` takes at most: sign, 20 digits, point, 9 decimals; the engine's own notation is shorter. */
export const DECIMAL_BYTES_MAX = 31;

/**
 * Rounds `values[index]` to `digits` decimals, half away from zero: `parts[0]` is the whole number, `parts[1]` the
 * decimals as an integer, both without sign. What rounds to zero has no sign either. Returns NOT_NEGATIVE, NEGATIVE or
 * NO_VALUE.
 */
export function splitDecimal(
  values: Float64Array,
  index: number,
  digits: number,
  parts: Float64Array,
): number {
  let value = values[index];
  if (value - value !== 0) return NO_VALUE;
  const isNegative = value < 0;
  if (isNegative) value = -value;
  const scale = SCALES[digits];
  let whole = Math.floor(value);
  let decimals = Math.floor((value - whole) * scale + 0.5);
  if (decimals >= scale) {
    whole += 1;
    decimals = 0;
  }
  parts[0] = whole;
  parts[1] = decimals;
  return isNegative && (whole > 0 || decimals > 0) ? NEGATIVE : NOT_NEGATIVE;
}

/** Writes the digits of an integer below 2 to the 31st, with zeros before them up to `digitsMin`. */
function writeDigits(bytes: Uint8Array, at: number, value: number, digitsMin: number): number {
  let count = 1;
  for (let rest = value; rest > 9; rest = (rest / 10) | 0) count++;
  if (count < digitsMin) count = digitsMin;
  for (let i = at + count - 1; i >= at; i--) {
    const rest = (value / 10) | 0;
    bytes[i] = 0x30 + value - rest * 10;
    value = rest;
  }
  return at + count;
}

/** Writes `value`, an integer from 0 to 4,294,967,295, in decimal; returns the offset behind it. */
export function writeInteger(bytes: Uint8Array, at: number, value: number): number {
  if (value < 100000000) return writeDigits(bytes, at, value | 0, 1);
  const high = Math.floor(value / 100000000);
  return writeDigits(bytes, writeDigits(bytes, at, high, 1), (value - high * 100000000) | 0, 8);
}

/** Writes the whole number in `parts[0]`, below 1e20, eight digits at a time. */
function writeWhole(bytes: Uint8Array, at: number, parts: Float64Array): number {
  const whole = parts[0];
  if (whole < 100000000) return writeDigits(bytes, at, whole | 0, 1);
  // All of it is exact: products and differences have 53 bits at most, and no quotient is so near below an integer that
  // it would be rounded to it (for the second, 1e-8 is more than half of its last bit; all of the first were tried).
  const high = Math.floor(whole / 1e16);
  const rest = whole - high * 1e16;
  const middle = Math.floor(rest / 1e8);
  const low = rest - middle * 1e8;
  if (high > 0) at = writeDigits(bytes, at, high | 0, 1);
  at = writeDigits(bytes, at, middle | 0, high > 0 ? 8 : 1);
  return writeDigits(bytes, at, low | 0, 8);
}

/**
 * Writes `values[index]` as JSON, rounded to `digits` decimals (0 to 9), without zeros at the end; NaN and infinities
 * as null. `parts` is room for two numbers. Returns the offset behind it. Allocates nothing for numbers below 1e20.
 */
export function writeDecimal(
  bytes: Uint8Array,
  at: number,
  values: Float64Array,
  index: number,
  digits: number,
  parts: Float64Array,
): number {
  const sign = splitDecimal(values, index, digits, parts);
  if (sign === NO_VALUE) {
    bytes[at] = 0x6e; // null
    bytes[at + 1] = 0x75;
    bytes[at + 2] = 0x6c;
    bytes[at + 3] = 0x6c;
    return at + 4;
  }
  if (parts[0] >= PLAIN_MAX) return writeUtf8(String(values[index]), bytes, at);
  if (sign === NEGATIVE) bytes[at++] = 0x2d;
  at = writeWhole(bytes, at, parts);
  let decimals = parts[1] | 0;
  if (decimals === 0) return at;
  let count = digits;
  for (let rest = (decimals / 10) | 0; rest * 10 === decimals; rest = (decimals / 10) | 0) {
    decimals = rest;
    count--;
  }
  bytes[at++] = 0x2e;
  return writeDigits(bytes, at, decimals, count);
}
