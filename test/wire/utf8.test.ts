/**
 * UTF-8, against the engine's own encoder and strict decoder, and at the edges of what the standard allows.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeUtf8,
  encodeUtf8,
  findBadUtf8,
  utf8ByteLength,
  utf8SequenceLength,
  writeUtf8,
} from '../../src/wire/utf8.ts';
import { runs } from '../seed.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Whether the bytes are a UTF-8 Encoded String by the engine's reading, U+0000 apart. */
function isGood(bytes: Uint8Array): boolean {
  try {
    return !decoder.decode(bytes).includes('\0');
  } catch {
    return false;
  }
}

/** The first bad byte is where the longest good beginning ends. */
function findBadNaively(bytes: Uint8Array): number {
  if (isGood(bytes)) return -1;
  let end = bytes.length;
  while (!isGood(bytes.subarray(0, end))) end--;
  return end;
}

/** Text of every kind that packets may carry. */
const texts = fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll('\0', '0'));
/** Any sixteen-bit units, paired or not. */
const units = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd7fe, max: 0xe001 })), {
    maxLength: 12,
  })
  .map((codes) => String.fromCharCode(...codes));
/** Bytes that are nearly UTF-8. */
const edges = fc.constantFrom(
  ...[0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1],
  ...[0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff],
);
const nearly = fc.array(fc.oneof(edges, edges, fc.integer({ min: 0, max: 255 })), { maxLength: 12 });

describe('UTF-8', () => {
  it('is written as TextEncoder writes it, and read back', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const bytes = encoder.encode(text);
        expect(utf8ByteLength(text)).toBe(bytes.length);
        expect(encodeUtf8(text)).toEqual(new Uint8Array(bytes));
        const out = new Uint8Array(bytes.length + 2);
        expect(writeUtf8(text, out, 1)).toBe(1 + bytes.length);
        expect(out.subarray(1, -1)).toEqual(new Uint8Array(bytes));
        expect(decodeUtf8(out, 1, 1 + bytes.length)).toBe(text);
        expect(findBadUtf8(out, 1, 1 + bytes.length)).toBe(-1);
      }),
      runs(1000),
    );
  });

  it('has no form for unpaired surrogates and U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]', () => {
    fc.assert(
      fc.property(units, (text) => {
        const isWellFormed =
          new TextDecoder('utf-8', { ignoreBOM: true }).decode(encoder.encode(text)) === text;
        const isAllowed = isWellFormed && !text.includes('\0');
        expect(utf8ByteLength(text)).toBe(isAllowed ? encoder.encode(text).length : -1);
        expect(encodeUtf8(text) === undefined).toBe(!isAllowed);
      }),
      runs(2000),
    );
  });

  it('is judged as a strict TextDecoder judges it, to the byte [MQTT-1.5.4-1] [MQTT-1.5.4-2]', () => {
    fc.assert(
      fc.property(nearly, (list) => {
        const bytes = Uint8Array.from(list);
        expect(findBadUtf8(bytes, 0, bytes.length)).toBe(findBadNaively(bytes));
      }),
      runs(20_000),
    );
  });

  it('is judged right for every two bytes and every lead with edge continuations', () => {
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        const bytes = Uint8Array.of(first, second);
        const bad = findBadUtf8(bytes, 0, 2);
        if (isGood(bytes) !== bad < 0) expect.fail(`${first} ${second}: ${bad}`);
        for (const tail of [[0x80], [0xbf], [0x80, 0x80], [0xbf, 0xbf], [0x41, 0x80]]) {
          const longer = Uint8Array.of(first, second, ...tail);
          if (isGood(longer) !== findBadUtf8(longer, 0, longer.length) < 0) expect.fail(longer.join());
        }
      }
    }
  });

  it('does not look beyond its end', () => {
    const bytes = encoder.encode('aé€😀');
    for (let end = 0; end <= bytes.length; end++) {
      const alone = bytes.slice(0, end);
      expect(findBadUtf8(bytes, 0, end)).toBe(findBadUtf8(alone, 0, end));
    }
  });

  it('keeps a byte order mark as text [MQTT-1.5.4-3]', () => {
    const bytes = Uint8Array.of(0xef, 0xbb, 0xbf, 0x61);
    expect(findBadUtf8(bytes, 0, 4)).toBe(-1);
    expect(decodeUtf8(bytes, 0, 4)).toBe('\ufeffa');
    expect(encodeUtf8('\ufeffa')).toEqual(bytes);
  });

  it('allows non-characters and control characters, which are only advised against', () => {
    for (const text of ['\u0001', '\u001f', '\u007f', '\u009f', '\ufdd0', '\ufffe', '\u{10ffff}']) {
      const bytes = encodeUtf8(text)!;
      expect(findBadUtf8(bytes, 0, bytes.length)).toBe(-1);
    }
  });

  it.each([
    [[0xc3, 0xa9], 2],
    [[0xe2, 0x82, 0xac], 3],
    [[0xf0, 0x9f, 0x98, 0x80], 4],
    [[0xc0, 0xaf], 0],
    [[0xe0, 0x80, 0xaf], 0],
    [[0xf0, 0x80, 0x80, 0xaf], 0],
    [[0xed, 0xa0, 0x80], 0],
    [[0xf4, 0x90, 0x80, 0x80], 0],
    [[0x80], 0],
    [[0xff], 0],
  ])('the sequence %j has the length %d', (bytes, length) => {
    expect(utf8SequenceLength(Uint8Array.from(bytes), 0, bytes.length)).toBe(length);
  });
});
