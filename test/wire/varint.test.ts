/**
 * The Variable Byte Integer, against the standard's own table and its own algorithm in plain arithmetic.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VARIABLE_BYTE_INTEGER_MAX } from '../../src/limits.ts';
import {
  VARINT_MALFORMED,
  VARINT_TRUNCATED,
  readVarint,
  varintByteLength,
  writeVarint,
} from '../../src/wire/varint.ts';
import { runs } from '../seed.ts';

/** Non-normative comment of 1.5.5, with arithmetic instead of bits. */
function encodeNaively(value: number): number[] {
  const bytes: number[] = [];
  do {
    const digit = value % 128;
    value = Math.floor(value / 128);
    bytes.push(value > 0 ? digit + 128 : digit);
  } while (value > 0);
  return bytes;
}

function write(value: number): number[] {
  const bytes = new Uint8Array(8).fill(0xee);
  const end = writeVarint(bytes, 2, value);
  expect([bytes[0], bytes[1], ...bytes.subarray(end)].every((byte) => byte === 0xee)).toBe(true);
  return Array.from(bytes.subarray(2, end));
}

const values = fc.oneof(
  fc.integer({ min: 0, max: VARIABLE_BYTE_INTEGER_MAX }),
  fc.integer({ min: 0, max: 20_000 }),
);

describe('the Variable Byte Integer', () => {
  // Table 1-1 of the standard: first and last value of each length.
  it.each([
    [0, [0x00]],
    [127, [0x7f]],
    [128, [0x80, 0x01]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 0x01]],
    [2_097_151, [0xff, 0xff, 0x7f]],
    [2_097_152, [0x80, 0x80, 0x80, 0x01]],
    [268_435_455, [0xff, 0xff, 0xff, 0x7f]],
  ])('%d is %j and takes no byte more [MQTT-1.5.5-1]', (value, bytes) => {
    expect(write(value)).toEqual(bytes);
    expect(varintByteLength(value)).toBe(bytes.length);
    expect(readVarint(Uint8Array.from(bytes), 0, bytes.length)).toBe(value);
  });

  it('is written as the standard says, in its shortest form, and read back [MQTT-1.5.5-1]', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = write(value);
        expect(bytes).toEqual(encodeNaively(value));
        expect(varintByteLength(value)).toBe(bytes.length);
        expect(readVarint(Uint8Array.from([9, ...bytes, 9]), 1, 1 + bytes.length)).toBe(value);
      }),
      runs(2000),
    );
  });

  it('is not complete before its last byte', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = Uint8Array.from(write(value));
        for (let end = 0; end < bytes.length; end++) {
          expect(readVarint(bytes, 0, end)).toBe(VARINT_TRUNCATED);
        }
      }),
      runs(500),
    );
  });

  it.each([
    [[0x80, 0x00]],
    [[0xff, 0x00]],
    [[0x80, 0x80, 0x00]],
    [[0x80, 0x80, 0x80, 0x00]],
    [[0x80, 0x80, 0x80, 0x80]],
    [[0xff, 0xff, 0xff, 0xff, 0x00]],
    [[0x80, 0x80, 0x80, 0x80, 0x01]],
  ])('%j is longer than it may be, and refused [MQTT-1.5.5-1]', (bytes) => {
    expect(readVarint(Uint8Array.from(bytes), 0, bytes.length)).toBe(VARINT_MALFORMED);
  });

  it('is either refused or what would be written, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 6 }), (bytes) => {
        const value = readVarint(bytes, 0, bytes.length);
        if (value >= 0) expect(Array.from(bytes.subarray(0, varintByteLength(value)))).toEqual(write(value));
        else if (value === VARINT_TRUNCATED) expect(bytes.every((byte) => byte > 127)).toBe(true);
        else expect(value).toBe(VARINT_MALFORMED);
      }),
      runs(2000),
    );
  });
});
